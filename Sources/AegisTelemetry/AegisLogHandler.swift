import Glibc
package import Logging
import Synchronization

/// Writes each event as one line in one write, so that lines of two threads never mix.
package struct AegisLogHandler: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    private let label: String
    private let style: LogStyle
    private let sink: LogSink

    package init(label: String, level: Logger.Level, style: LogStyle, sink: LogSink) {
        self.label = label
        self.logLevel = level
        self.style = style
        self.sink = sink
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var fields = metadata
        if let error = event.error { fields["error"] = "\(error)" }
        if let more = event.metadata { fields.merge(more) { _, new in new } }
        sink.write(
            style.line(
                timestamp: Timestamp.now(), level: event.level, label: label,
                message: "\(event.message)", metadata: fields))
    }
}

/// Where lines go.
package struct LogSink: Sendable {
    package let write: @Sendable (String) -> Void

    package init(write: @escaping @Sendable (String) -> Void) { self.write = write }

    /// Standard error; standard output belongs to what a program prints for its caller.
    package static let standardError: LogSink = {
        let turn = Mutex(())
        return LogSink { line in
            turn.withLock { _ in
                var rest = Array(line.utf8)[...]
                while !rest.isEmpty {
                    let written = rest.withUnsafeBytes { Glibc.write(2, $0.baseAddress, $0.count) }
                    // A log that can't be written has nowhere to say so.
                    guard written > 0 else { return }
                    rest = rest.dropFirst(written)
                }
            }
        }
    }()
}

package enum Telemetry {
    /// Sends every logger of this process to standard error: text for a terminal, else JSON.
    package static func bootstrap(level: Logger.Level, style: LogStyle? = nil) {
        let style = style ?? (isatty(2) == 1 ? .text : .json)
        LoggingSystem.bootstrap { label in
            AegisLogHandler(label: label, level: level, style: style, sink: .standardError)
        }
    }
}
