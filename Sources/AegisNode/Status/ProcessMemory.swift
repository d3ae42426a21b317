import AegisTelemetry
import CMalloc
import Glibc

/// What a node does to keep little memory. How much it has: `ProcessFigures`.
package enum ProcessMemory {
    /// Blocks from 256 KiB up go back to the system when they are freed, and threads share two
    /// heaps. By default every thread has its own, and each keeps what one round's transfers took:
    /// a third of a node's memory with ten participants. For the whole process, before it begins.
    static func keepHeapSmall() {
        mallopt(M_ARENA_MAX, 2)
        mallopt(M_MMAP_THRESHOLD, 256 << 10)
        mallopt(M_TRIM_THRESHOLD, 256 << 10)
    }

    /// Large blocks that come and go stay with the process instead of being mapped anew each time.
    package static func keepLargeBlocks() {
        mallopt(M_MMAP_THRESHOLD, 1 << 30)
        mallopt(M_TRIM_THRESHOLD, 1 << 30)
    }

    /// Gives pages of program text back whenever they are many, until this is cancelled: what only
    /// the start, a join or the end of a run needed goes, what runs on is mapped again from the
    /// system's cache within a millisecond. It is a third of an idle node's resident memory.
    static func keepTextSmall() async throws {
        releaseText()
        while true {
            try await Task.sleep(for: .seconds(2))
            if let mapped = ProcessFigures.mappedBytes, mapped > textBytesMost { releaseText() }
        }
    }

    private static let textBytesMost = 28e6

    /// Text is never written, so nothing is lost.
    private static func releaseText() {
        guard let maps = fopen("/proc/self/maps", "r") else { return }
        defer { fclose(maps) }
        var line = [CChar](repeating: 0, count: 4_096)
        while fgets(&line, Int32(line.count), maps) != nil {
            let text = String(
                decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let fields = text.split(separator: " ", omittingEmptySubsequences: true)
            guard fields.count >= 6, fields[1] == "r-xp", fields[5].hasPrefix("/") else { continue }
            let ends = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            guard ends.count == 2, let start = UnsafeMutableRawPointer(bitPattern: ends[0]) else {
                continue
            }
            madvise(start, Int(ends[1] - ends[0]), MADV_DONTNEED)
        }
    }
}
