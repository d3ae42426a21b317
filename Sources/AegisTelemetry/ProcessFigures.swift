import Glibc

/// What the operating system says of this process, under the names that Prometheus' own client
/// libraries use.
package struct ProcessFigures: Sendable {
    package var cpuSeconds: Double
    package var residentBytes: Double?
    package var openDescriptors: Double?

    package static var now: ProcessFigures {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double {
            Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000
        }
        return ProcessFigures(
            cpuSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
            residentBytes: pages(.resident),
            openDescriptors: descriptorCount)
    }

    /// The most resident memory this process has had, in units of 2²⁰ bytes.
    package static var peakResidentMegabytes: Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_maxrss) / 1_024
    }

    /// Of the resident memory, what is mapped from files: program text above all.
    package static var mappedBytes: Double? { pages(.mapped) }

    /// Places in `/proc/self/statm`.
    private enum Pages: Int { case resident = 1, mapped }

    /// In bytes.
    private static func pages(_ kind: Pages) -> Double? {
        guard let file = fopen("/proc/self/statm", "r") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        guard fgets(&line, Int32(line.count), file) != nil else { return nil }
        let text = String(
            decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.split(separator: " ").dropFirst(kind.rawValue).first.flatMap { Double($0) }
            .map { $0 * Double(sysconf(Int32(_SC_PAGESIZE))) }
    }

    private static var descriptorCount: Double? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = -2.0
        while readdir(folder) != nil { count += 1 }
        // The folder itself is open while it is read.
        return count - 1
    }

    package func write(to metrics: inout PrometheusText) {
        metrics.add(
            "process_cpu_seconds_total", .counter, help: "User and system CPU time spent.",
            cpuSeconds)
        metrics.add(
            "process_resident_memory_bytes", .gauge, help: "Resident memory.", residentBytes)
        metrics.add("process_open_fds", .gauge, help: "Open file descriptors.", openDescriptors)
    }
}
