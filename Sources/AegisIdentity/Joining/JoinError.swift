package import AegisCore

/// Why a join fails, on either side. Each has its own case, and `code` names it to the other side.
package enum JoinError: Error, Hashable, Sendable {
    // What the acceptor finds.
    case malformed(StatementError)
    case envelope(EnvelopeError)
    case foreignMesh(MeshID)
    case unknownToken(id: String)
    /// Seconds since 1970.
    case tokenExpired(at: UInt64)
    case tokenUsed(by: NodeID)
    /// The outer signature isn't by the node that asks: it doesn't hold the key.
    case badPossession(NodeID)
    /// The inner signature isn't by the token's key.
    case badAuthorisation(tokenID: String)
    case wrongAcceptor(NodeID)
    /// Meant for another TLS key: somebody sits between the two.
    case wrongAcceptorKey
    case wrongTLSKey
    case unknownNonce
    case invalidName(String)
    case nameNotGranted(String, granted: String)
    case invalidAddress(String)
    // What the joiner finds.
    case founding(FoundingError)
    case otherMeshThanTheToken(MeshID, token: MeshID)
    case acceptor(PeerCertificateError)
    case acceptorIsNotTheAdmin(NodeID)
    /// The offer names another certificate than the one the connection was made with.
    case offerOfAnotherConnection

    /// Stable, for the `type` of a problem document and for scripts.
    package var code: String {
        switch self {
        case .malformed, .envelope: "malformed-request"
        case .foreignMesh: "foreign-mesh"
        case .unknownToken: "unknown-token"
        case .tokenExpired: "token-expired"
        case .tokenUsed: "token-used"
        case .badPossession: "bad-possession"
        case .badAuthorisation: "bad-authorisation"
        case .wrongAcceptor: "wrong-acceptor"
        case .wrongAcceptorKey: "wrong-acceptor-key"
        case .wrongTLSKey: "wrong-tls-key"
        case .unknownNonce: "unknown-nonce"
        case .invalidName: "invalid-name"
        case .nameNotGranted: "name-not-granted"
        case .invalidAddress: "invalid-address"
        case .founding: "wrong-founding"
        case .otherMeshThanTheToken: "other-mesh"
        case .acceptor: "bad-acceptor-certificate"
        case .acceptorIsNotTheAdmin: "acceptor-not-admin"
        case .offerOfAnotherConnection: "offer-of-another-connection"
        }
    }
}

/// How participants, users and data sets may be called: what fits a file name, a label and a table.
package enum Names {
    /// 1 to 64 of a-z, 0-9, `-`, `_` and `.`, the first a letter or digit.
    package static func isValid(_ name: String) -> Bool {
        guard let first = name.utf8.first, name.utf8.count <= Limits.nameBytesMax else {
            return false
        }
        return isLetterOrDigit(first)
            && name.utf8.allSatisfy { isLetterOrDigit($0) || "-_.".utf8.contains($0) }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
