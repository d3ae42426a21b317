import AegisCore

/// Any bytes as CBOR: refused with a typed error, or the only encoding of what they say.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCBOR(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    guard let value = try? CBOR.decode(bytes) else { return 0 }
    precondition(value.encoded == bytes, "one encoding for each value")
    if case .map = value, var fields = try? CBORFields(value) {
        for field in -2...4 as ClosedRange<Int64> { _ = fields.optional(field) }
        _ = try? fields.finish()
    }
    return 0
}
