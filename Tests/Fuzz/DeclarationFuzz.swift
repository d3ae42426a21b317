import AegisCore
import AegisProtocol

/// Any bytes as a run's specification: refused with a typed error, or written again as they were.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDeclaration(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    guard let value = try? CBOR.decode(bytes), let run = try? RunSpecification(value) else {
        return 0
    }
    precondition(run.cbor.encoded == bytes, "one encoding for each value")
    precondition(run.updatesMin >= 1)
    return 0
}
