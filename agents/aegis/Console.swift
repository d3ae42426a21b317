import Glibc

/// Standard output and error, with nothing between a command and the terminal.
package enum Console {
    package static func write(_ text: String) { write(text, to: 1) }
    package static func writeError(_ text: String) { write(text, to: 2) }

    package static var outputIsTerminal: Bool { isatty(1) == 1 }

    /// Whether somebody watches standard error.
    package static var progressIsWelcome: Bool { isatty(2) == 1 }

    /// Columns of the terminal on standard output, 80 where there is none.
    package static var columns: Int {
        var size = winsize()
        guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 20 else { return 80 }
        return Int(size.ws_col)
    }

    /// On Ctrl-C: clears the line that is being redrawn and ends with 130.
    package static func endCleanlyOnInterrupt() {
        signal(SIGINT) { _ in
            // Only calls that a signal handler may make.
            if isatty(1) == 1 { _ = Glibc.write(1, "\r\u{1b}[K", 4) }
            _exit(130)
        }
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { return }
            rest = rest.dropFirst(written)
        }
    }
}
