import AegisCore
import AegisStore
import Glibc
import TestFolders
import Testing

@Suite("The safety journal (PROTOCOL.md §2.11, R12)")
struct SafetyJournalTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("journal")
    }

    private func slot(_ number: UInt8, content: UInt8? = nil, bytes: Int = 40) -> JournalSlot {
        JournalSlot(
            key: [1, number], content: digest(content ?? number),
            envelope: (0..<bytes).map { UInt8(truncatingIfNeeded: $0 * 7 + Int(number) + 1) })
    }

    private func note(_ number: UInt8) -> JournalRecord {
        JournalRecord(type: 9, payload: [number, number ^ 0xff, 3])
    }

    @Test("what was recorded is there after opening again, in order")
    func reopen() throws {
        let journal = try SafetyJournal.create(at: path, node: node(1))
        #expect(try journal.record(slot: [7], content: digest(1), envelope: [1, 2]) == [1, 2])
        try journal.append([note(1), note(2)])
        _ = try journal.commit(slots: [slot(3), slot(4)], records: [note(5)])

        let again = try SafetyJournal(opening: path, node: node(1))
        #expect(again.id == journal.id)
        #expect(again.tornBytes == 0)
        #expect(
            try again.load() == [
                JournalSlot(key: [7], content: digest(1), envelope: [1, 2]).record,
                note(1), note(2), note(5), slot(3).record, slot(4).record,
            ])
        #expect(try again.recorded(slot: [7], content: digest(1)) == [1, 2])
        #expect(try again.recorded(slot: [8], content: digest(1)) == nil)
    }

    @Test("a slot takes one content for ever; the same content gives the recorded bytes")
    func slots() throws {
        let journal = try SafetyJournal.create(at: path, node: node(1))
        let first = try journal.record(slot: [7], content: digest(1), envelope: [1])
        #expect(first == [1])
        // Another signature over the same content: the first one counts.
        #expect(try journal.record(slot: [7], content: digest(1), envelope: [2]) == [1])
        let refusal = JournalError.slotTaken(slot: [7], by: digest(1))
        #expect(throws: refusal) {
            try journal.record(slot: [7], content: digest(2), envelope: [3])
        }
        #expect(throws: refusal) { try journal.recorded(slot: [7], content: digest(2)) }
        let size = journal.byteCount
        // Within one batch too, and a refused batch leaves nothing.
        #expect(throws: JournalError.slotTaken(slot: [1, 8], by: digest(8))) {
            try journal.commit(slots: [slot(8), slot(8, content: 9)], records: [note(1)])
        }
        #expect(journal.byteCount == size)
        #expect(try SafetyJournal(opening: path, node: node(1)).load().count == 1)
    }

    @Test("cut at any byte, it opens with the records that were whole")
    func tornTail() throws {
        let journal = try SafetyJournal.create(at: path, node: node(1))
        var ends = [journal.byteCount]
        for number in UInt8(1)...6 {
            try journal.append([note(number)])
            ends.append(journal.byteCount)
        }
        let bytes = try Files.read(path)
        #expect(ends.last == bytes.count)
        for length in ends[0]...bytes.count {
            try Files.write(bytes[..<length], to: path)
            let opened = try SafetyJournal(opening: path, node: node(1))
            let whole = ends.lastIndex { $0 <= length } ?? 0
            #expect(try opened.load() == (1...6).prefix(whole).map { note(UInt8($0)) })
            #expect(opened.tornBytes == length - ends[whole])
            // It goes on from there.
            try opened.append([note(99)])
            let records = try SafetyJournal(opening: path, node: node(1)).load()
            #expect(records.last == note(99) && records.count == whole + 1)
        }
        for length in 0..<ends[0] {
            try Files.write(bytes[..<length], to: path)
            #expect(throws: JournalError.damaged(at: 0)) {
                try SafetyJournal(opening: path, node: node(1))
            }
        }
    }

    @Test("a tail that the disk never wrote (zeros) is torn, not damage")
    func unwrittenTail() throws {
        let journal = try SafetyJournal.create(at: path, node: node(1))
        try journal.append([note(1)])
        let bytes = try Files.read(path)
        try Files.write(bytes + [UInt8](repeating: 0, count: 3_000), to: path)
        let opened = try SafetyJournal(opening: path, node: node(1))
        #expect(opened.tornBytes == 3_000)
        #expect(try opened.load() == [note(1)])
    }

    @Test("a flipped bit anywhere is found")
    func flippedBits() throws {
        let journal = try SafetyJournal.create(at: path, node: node(1))
        for number in UInt8(1)...4 { _ = try journal.commit(slots: [slot(number)]) }
        let bytes = try Files.read(path)
        for index in bytes.indices {
            for bit in [0, 7] {
                var damaged = bytes
                damaged[index] ^= 1 << UInt8(bit)
                try Files.write(damaged, to: path)
                #expect(throws: JournalError.self, "byte \(index), bit \(bit)") {
                    try SafetyJournal(opening: path, node: node(1))
                }
            }
        }
    }

    @Test("a record that was taken out, doubled or put elsewhere is found")
    func movedRecords() throws {
        let journal = try SafetyJournal.create(at: path, node: node(1))
        var ends = [journal.byteCount]
        for number in UInt8(1)...3 {
            try journal.append([note(number)])
            ends.append(journal.byteCount)
        }
        let bytes = try Files.read(path)
        let parts = zip(ends, ends.dropFirst()).map { bytes[$0..<$1] }
        let header = Array(bytes[..<ends[0]])
        for order in [[0, 2], [1, 2], [0, 0, 1, 2], [0, 2, 1], [2, 1, 0]] {
            try Files.write(header + order.flatMap { parts[$0] }, to: path)
            #expect(throws: JournalError.self, "\(order)") {
                try SafetyJournal(opening: path, node: node(1))
            }
        }
    }

    @Test("another node's journal, a missing one and a second creation are refused")
    func identity() throws {
        #expect(throws: JournalError.missing(path: path)) {
            try SafetyJournal(opening: path, node: node(1))
        }
        _ = try SafetyJournal.create(at: path, node: node(1))
        #expect(throws: JournalError.foreign(node(1), expected: node(2))) {
            try SafetyJournal(opening: path, node: node(2))
        }
        #expect(throws: JournalError.alreadyExists(path: path)) {
            try SafetyJournal.create(at: path, node: node(1))
        }
    }

    @Test("compaction keeps what is needed, and the slots that it keeps stay taken")
    func compaction() throws {
        let journal = try SafetyJournal.create(at: path, node: node(1))
        for number in UInt8(1)...50 {
            _ = try journal.commit(slots: [slot(number)], records: [note(number)])
        }
        let before = journal.byteCount
        try journal.compact { record in
            JournalSlot(record).map { $0.key[1] > 45 } ?? (record.payload[0] > 48)
        }
        #expect(journal.byteCount < before / 5)
        let expected = try journal.load()
        #expect(expected.count == 7)
        #expect(throws: JournalError.slotTaken(slot: [1, 50], by: digest(50))) {
            try journal.commit(slots: [slot(50, content: 1)])
        }
        try journal.append([note(60)])
        let again = try SafetyJournal(opening: path, node: node(1))
        #expect(try again.load() == expected + [note(60)])
        #expect(again.id == journal.id)
    }

    @Test("a record that no reader would take is not written")
    func tooLarge() throws {
        let journal = try SafetyJournal.create(at: path, node: node(1))
        #expect(throws: JournalError.recordTooLarge(byteCount: (4 << 20) + 1)) {
            try journal.append([
                note(1),
                JournalRecord(type: 1, payload: [UInt8](repeating: 1, count: (4 << 20) + 1)),
            ])
        }
        #expect(try SafetyJournal(opening: path, node: node(1)).load() == [])
    }
}
