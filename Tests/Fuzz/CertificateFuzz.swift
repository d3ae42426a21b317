import AegisCore
import AegisIdentity

/// Any bytes as the TLS certificate of a peer: refused with a typed error, unless it is one that a
/// node made (a seed), whole.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCertificate(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    guard let mesh = MeshID([UInt8](repeating: 7, count: 16)) else {
        preconditionFailure("16 bytes")
    }
    if let peer = try? PeerCertificate.verify(leafDER: bytes, mesh: mesh, now: 1_800_000_000) {
        precondition(peer.leafDER == bytes && peer.node.hostName.utf8.count <= 63)
    }
    _ = try? KnownBinding(decoding: bytes)
    return 0
}
