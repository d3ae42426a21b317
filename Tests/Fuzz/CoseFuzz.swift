import AegisCore
import AegisCrypto

/// Any bytes as a signed envelope: refused with a typed error, or kept as they are; and what
/// verifies was signed, which no fuzzer can do.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzEnvelope(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    guard let envelope = try? SignedEnvelope(parsing: bytes) else { return 0 }
    precondition(envelope.bytes == bytes, "the exact bytes are kept")
    precondition(envelope.signature.count == SignedEnvelope.signatureBytes)
    _ = try? EnvelopeVerifier().verify(envelope)
    return 0
}
