import AegisCore
import AsyncHTTPClient
import Glibc
import NIOCore
import NIOPosix
import NIOSSL

/// What went wrong on the wire, read from the errors of the libraries below.
enum WireFailure: Hashable {
    case refused
    case lost
    case timedOut
    case tls
    case cancelled
    case other(String)

    init(_ error: any Error) {
        switch error {
        case let error as NIOConnectionError: self = Self.of(connecting: error)
        case let error as IOError: self = Self.of(errno: error.errnoCode)
        case let error as HTTPClientError: self = Self.of(error)
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError: self = .tls
        case is CancellationError: self = .cancelled
        case ChannelError.connectTimeout: self = .timedOut
        case is ChannelError: self = .lost
        default: self = .other("\(error)")
        }
    }

    private static func of(connecting error: NIOConnectionError) -> WireFailure {
        if let first = error.connectionErrors.first { return WireFailure(first.error) }
        if let lookup = error.dnsAError ?? error.dnsAAAAError { return .other("\(lookup)") }
        return .other("\(error)")
    }

    private static func of(errno code: Int32) -> WireFailure {
        switch code {
        case ECONNREFUSED: .refused
        case ECONNRESET, EPIPE, ECONNABORTED, ENOTCONN: .lost
        case ETIMEDOUT: .timedOut
        default: .other("errno \(code)")
        }
    }

    private static func of(_ error: HTTPClientError) -> WireFailure {
        switch error {
        case .connectTimeout, .deadlineExceeded, .readTimeout, .writeTimeout,
            .tlsHandshakeTimeout, .getConnectionFromPoolTimeout:
            .timedOut
        case .remoteConnectionClosed: .lost
        case .cancelled, .alreadyShutdown: .cancelled
        default: .other(error.shortDescription)
        }
    }
}

extension MeshClientError {
    init(_ failure: WireFailure, at node: NodeID) {
        switch failure {
        case .refused: self = .connectionRefused(node)
        case .lost: self = .connectionLost(node)
        case .timedOut: self = .timedOut(node)
        case .tls: self = .refusedByPeer(node)
        case .cancelled: self = .cancelled
        case .other(let reason): self = .unreachable(node, reason: reason)
        }
    }
}
