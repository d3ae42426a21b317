import AegisCore
import AegisIdentity

/// Any bytes as a join token, as the text of one and as what its text spells: refused, or spelled
/// the same way again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzToken(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    for text in [
        String(decoding: bytes, as: UTF8.self), JoinToken.prefix + Base32.encode(bytes),
    ] {
        guard let token = try? JoinToken(parsing: text, now: 0) else { continue }
        precondition(token.secretText == text, "one spelling for each token")
    }
    return 0
}
