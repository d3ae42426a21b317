package import AegisCore
import CSodium

/// One rule for the whole mesh on which signatures hold (PROTOCOL.md §4.2): an implementation that
/// accepts what another refuses splits a mesh. So the choices that RFC 8032 leaves open are made
/// here and not left to a library's version: S < L, A and R of large order, A spelled canonically;
/// the equation is libsodium's, without cofactor, and it compares R bytewise.
package enum Ed25519 {
    package static func isValid(
        signature: [UInt8], message: [UInt8], publicKey: NodeID
    ) -> Bool {
        Sodium.ready
        let key = publicKey.bytes
        guard signature.count == SignedEnvelope.signatureBytes,
            isBelow(signature[32...], groupOrder),
            isCanonical(key), !hasSmallOrder(key[...]), !hasSmallOrder(signature[..<32])
        else { return false }
        return unsafe crypto_sign_verify_detached(
            signature, message, UInt64(message.count), key) == 0
    }

    /// y < p. With the sign bit off, since it isn't part of y.
    package static func isCanonical(_ point: [UInt8]) -> Bool {
        isBelow(withoutSign(point[...])[...], fieldPrime)
    }

    package static func hasSmallOrder(_ point: ArraySlice<UInt8>) -> Bool {
        smallOrder.contains(withoutSign(point))
    }

    private static func withoutSign(_ point: ArraySlice<UInt8>) -> [UInt8] {
        var bytes = Array(point)
        bytes[31] &= 0x7f
        return bytes
    }

    /// Little-endian comparison; both have 32 bytes. Neither is secret.
    private static func isBelow(_ value: ArraySlice<UInt8>, _ limit: [UInt8]) -> Bool {
        for (value, limit) in zip(value.reversed(), limit.reversed()) where value != limit {
            return value < limit
        }
        return false
    }

    /// L = 2²⁵² + 27742317777372353535851937790883648493 (RFC 8032 §5.1), little-endian.
    private static let groupOrder = littleEndian(
        "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed")

    /// p = 2²⁵⁵ − 19.
    private static let fieldPrime = littleEndian(
        "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed")

    /// The y of the eight points of the torsion subgroup (order 4; 1; 2; 8; 8), and the two that
    /// a y above p spells again.
    private static let smallOrder: [[UInt8]] = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000001",
        "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec",
        "05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826",
        "7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7",
        "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed",
        "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffee",
    ].map(littleEndian)

    private static func littleEndian(_ hexadecimal: String) -> [UInt8] {
        guard let bytes = Hexadecimal.decode(hexadecimal), bytes.count == 32 else {
            preconditionFailure("a constant of 32 bytes")
        }
        return bytes.reversed()
    }
}
