/// The values of one update, wherever they lie: an array or a memory-mapped file. Rules read them
/// block by block, so no rule needs a copy of all updates.
package protocol UpdateSource {
    var count: Int { get }
    /// Lends `count` little-endian float32 values, aligned or not.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result
    /// A rule has read these values and goes on to others; it may come back to them later. Memory
    /// that can be had again, a mapped file's, may go meanwhile. Called from any thread.
    func passed(_ range: Range<Int>)
}

extension UpdateSource {
    package func passed(_ range: Range<Int>) {}
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
    private let release: (@Sendable (UnsafeRawBufferPointer) -> Void)?

    /// Nil unless the bytes are a whole number of values. `release` gets bytes that won't be needed
    /// for a while.
    package init?(
        _ bytes: UnsafeRawBufferPointer,
        release: (@Sendable (UnsafeRawBufferPointer) -> Void)? = nil
    ) {
        guard bytes.count.isMultiple(of: 4) else { return nil }
        self.bytes = bytes
        self.release = release
        count = bytes.count / 4
    }

    package func passed(_ range: Range<Int>) {
        release?(
            UnsafeRawBufferPointer(rebasing: bytes[4 * range.lowerBound..<4 * range.upperBound]))
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
