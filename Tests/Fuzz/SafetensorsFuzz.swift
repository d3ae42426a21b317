import AegisAggregation
import AegisLearning

/// Any bytes as a safetensors file: refused with a typed error, or read within their bounds.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSafetensors(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let file = UnsafeRawBufferPointer(start: start, count: count)
    guard let contents = try? Safetensors.parse(file) else { return 0 }
    let declared = contents.tensors.reduce(0) { $0 + $1.declaration.count }
    precondition(contents.valuesStart + 4 * declared == count, "every byte has a place")
    let values = contents.values(of: file)
    precondition(values.count == declared)
    let inOrder = contents.tensors.sorted { left, right in
        (left.bytes.lowerBound, left.bytes.upperBound)
            < (right.bytes.lowerBound, right.bytes.upperBound)
    }.map(\.declaration)
    precondition(contents.matches(inOrder))
    // What was read is written again as a file with the same tensors and values.
    let written = Safetensors.encode(inOrder, values: values)
    guard let again = try? Safetensors.parse(written) else {
        preconditionFailure("our own file is refused")
    }
    precondition(again.matches(inOrder))
    let copy = written.withUnsafeBytes { again.values(of: $0) }
    precondition(copy.map(\.bitPattern) == values.map(\.bitPattern))
    if let raw = RawUpdate(UnsafeRawBufferPointer(rebasing: file[contents.valuesStart...])) {
        _ = try? IntakeCheck(parameterCount: declared, normMax: 1e6).check(raw)
    }
    return 0
}
