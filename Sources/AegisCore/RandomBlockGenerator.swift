/// A random number generator that is fastest when asked for many bytes at once. Generators of
/// noise take their bytes through it, so that a pure module never owns a source of chance.
package protocol RandomBlockGenerator: RandomNumberGenerator {
    /// Fills `output` with independent, uniformly random bytes.
    mutating func fill(_ output: UnsafeMutableRawBufferPointer)
}

extension RandomBlockGenerator {
    /// Word after word, for generators that have nothing faster.
    package mutating func fill(_ output: UnsafeMutableRawBufferPointer) {
        var start = 0
        while start < output.count {
            var word = next()
            let count = min(8, output.count - start)
            withUnsafeBytes(of: &word) {
                UnsafeMutableRawBufferPointer(rebasing: output[start..<(start + count)])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<count]))
            }
            start += count
        }
    }
}

/// A generator that can make further ones, whose output tells nothing of its own or of each
/// other's: one for each thread that shares a task.
package protocol SplittableGenerator: RandomBlockGenerator {
    mutating func split() -> Self
}
