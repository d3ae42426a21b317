import Foundation

/// How far something long has come, on stderr: a line that is written over where people watch, a
/// line a minute in a log.
struct Progress {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let start = ContinuousClock.now
    private var last: ContinuousClock.Instant?
    private var width = 0

    /// Since the start.
    var seconds: Double { Self.seconds(since: start) }

    /// Nil while it is too early for another line.
    mutating func show(_ line: () -> String) {
        let interval = isTerminal ? 0.5 : 60
        guard Self.seconds(since: last ?? start) >= interval else { return }
        last = .now
        let line = line()
        guard isTerminal else { return Self.write(line + "\n") }
        Self.write("\r" + line + String(repeating: " ", count: max(0, width - line.count)))
        width = line.count
    }

    /// Clears the line.
    mutating func end() {
        guard isTerminal, width > 0 else { return }
        Self.write("\r" + String(repeating: " ", count: width) + "\r")
        width = 0
    }

    static func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

    private static func seconds(since start: ContinuousClock.Instant) -> Double {
        (ContinuousClock.now - start) / .seconds(1)
    }

    /// `1,234,567`.
    static func grouped(_ number: Int) -> String {
        var groups: [Substring] = []
        var rest = Substring(String(number.magnitude))
        while rest.count > 3 {
            groups.append(rest.suffix(3))
            rest = rest.dropLast(3)
        }
        groups.append(rest)
        return (number < 0 ? "-" : "") + groups.reversed().joined(separator: ",")
    }

    /// `40 s`, `12 min`, `3 h 5 min`.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 3.6e6 else { return "very long" }
        let seconds = Int(seconds)
        if seconds < 100 { return "\(seconds) s" }
        let minutes = (seconds + 30) / 60
        return minutes < 100 ? "\(minutes) min" : "\(minutes / 60) h \(minutes % 60) min"
    }

    /// Of this thread.
    static var cpuSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
