import AegisCore
import AegisIdentity
import AegisProtocol

/// Any bytes as a request to join, and as what an acceptor offers: refused with a typed error.
/// Nothing is ever accepted, since no fuzzer signs.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzJoin(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    guard let mesh = MeshID([UInt8](repeating: 7, count: 16)),
        let node = NodeID([UInt8](repeating: 9, count: 32))
    else { preconditionFailure("whole ids") }
    let acceptor = Acceptor(mesh: mesh, node: node, tlsKeys: [.zero])
    let accepted = try? acceptor.verify(
        bytes, now: 0, clientTLSKey: nil, isNonceIssued: { _ in true },
        grant: { TokenGrant(tokenID: $0, tokenKey: node, name: "north", notAfter: .max) })
    precondition(accepted == nil, "nobody signed this")
    if let request = try? JoinRequest(payload: bytes) {
        precondition(request.payload == bytes, "one encoding for each request")
    }
    if let offer = try? FoundingOffer(decoding: bytes) {
        precondition(offer.encoded == bytes, "one encoding for each offer")
    }
    _ = try? JoinRecord(decoding: bytes)
    _ = try? SignedFounding(verifying: bytes)
    if let document = try? GenesisDocument(decoding: bytes) {
        _ = try? GenesisVerifier().verify(document)
    }
    return 0
}
