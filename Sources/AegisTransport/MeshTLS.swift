import AegisCore
import AegisIdentity
import NIOSSL

/// TLS 1.3 with our leaf, both ways (PROTOCOL.md §4.3).
enum MeshTLS {
    /// A client certificate is asked for and required; what it proves is decided in the
    /// verification callback, which replaces all of BoringSSL's checks.
    static func serverContext(_ identity: TLSIdentity) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try chain(identity),
            privateKey: .privateKey(try privateKey(identity)))
        configuration.minimumTLSVersion = .tlsv13
        configuration.certificateVerification = .noHostnameVerification
        configuration.trustRoots = .certificates([])
        configuration.applicationProtocols = ["http/1.1"]
        configuration.shutdownTimeout = TransportLimits.closeTimeout
        return try NIOSSLContext(configuration: configuration)
    }

    /// Trusts exactly `leaf`, which must also carry the name that is asked for.
    static func clientConfiguration(
        _ identity: TLSIdentity, pinning leaf: [UInt8]
    ) throws -> TLSConfiguration {
        var configuration = try discoveryConfiguration(identity)
        configuration.certificateVerification = .fullVerification
        configuration.trustRoots = .certificates([try certificate(leaf)])
        return configuration
    }

    /// For a connection whose callback verifies the peer.
    static func discoveryConfiguration(_ identity: TLSIdentity) throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv13
        configuration.certificateVerification = .noHostnameVerification
        configuration.trustRoots = .certificates([])
        configuration.certificateChain = try chain(identity)
        configuration.privateKey = .privateKey(try privateKey(identity))
        configuration.applicationProtocols = ["http/1.1"]
        configuration.shutdownTimeout = TransportLimits.closeTimeout
        return configuration
    }

    /// The leaf, then what an organisation says of the identity behind it.
    private static func chain(
        _ identity: TLSIdentity
    ) throws -> [NIOSSLCertificateSource] {
        try ([identity.leafDER] + (identity.organisation?.certificates ?? [])).map {
            .certificate(try certificate($0))
        }
    }

    static func certificate(_ bytes: [UInt8]) throws -> NIOSSLCertificate {
        try NIOSSLCertificate(bytes: bytes, format: .der)
    }

    private static func privateKey(_ identity: TLSIdentity) throws -> NIOSSLPrivateKey {
        try NIOSSLPrivateKey(bytes: identity.privateKeyDER, format: .der)
    }
}
