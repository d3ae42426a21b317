/// The values of one update, wherever they lie: an array or a memory-mapped file. Rules read them
/// block by block, so no rule needs a copy of all updates.
package protocol UpdateSource {
    var count: Int { get }
    /// Lends `count` little-endian float32 values, aligned or not.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result
}

extension [Float]: UpdateSource {
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(body)
    }
}

/// Little-endian float32 values anywhere in memory that outlives this value: a mapped file's data
/// section.
package struct RawUpdate: UpdateSource {
    package let count: Int
    private let bytes: UnsafeRawBufferPointer

    /// Nil unless the bytes are a whole number of values.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count.isMultiple(of: 4) else { return nil }
        self.bytes = bytes
        count = bytes.count / 4
    }

    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        body(bytes)
    }
}

/// Lends the values of all sources at once, in their order.
func withPointers<Result>(
    to sources: [any UpdateSource], _ body: ([UnsafeRawPointer]) -> Result
) -> Result {
    func next(_ collected: [UnsafeRawPointer]) -> Result {
        guard collected.count < sources.count else { return body(collected) }
        return sources[collected.count].withBytes { bytes in
            // An empty update has no address; nothing is read from it.
            let address = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 8)
            guard let address else { preconditionFailure("eight is an address") }
            return next(collected + [address])
        }
    }
    return next([])
}
