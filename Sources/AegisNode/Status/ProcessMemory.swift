import Glibc

enum ProcessMemory {
    /// The most resident memory this process has had, in units of 2²⁰ bytes.
    static var peakResidentMegabytes: Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_maxrss) / 1_024
    }
}
