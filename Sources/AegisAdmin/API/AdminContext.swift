import AegisCore
package import Hummingbird
package import NIOCore

/// What a request of the admin API comes with: its connection, and its number.
package struct AdminContext: InitializableFromSource, Sendable {
    package let channel: any Channel
    /// Names this request in the answer, the log and the audit.
    package let requestID: String

    package init(source: ApplicationRequestContextSource) {
        channel = source.channel
        let number = UInt64.random(in: .min ... .max)
        requestID = Hexadecimal.encode(
            (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) })
    }
}
