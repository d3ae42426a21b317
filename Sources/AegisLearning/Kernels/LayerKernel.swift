typealias Values = UnsafeMutablePointer<Float>

/// Where a layer finds its numbers: rows × its inputs, rows × its outputs, and the gradients of
/// each row's own loss at both.
struct LayerBuffers {
    let input: Values
    let output: Values
    let inputGradient: Values
    let outputGradient: Values
}

/// The records of one micro-batch. Each has `views` rows, one after the other.
struct MicroBatch {
    let records: Int
    let views: Int
    var rows: Int { records * views }
}

/// What a layer does on a micro-batch. One instance serves one thread.
///
/// The gradient of a record is the sum over its rows. It is clipped without being formed where
/// that is cheaper: `addSquaredNorms` gives its length from what the one backward pass left (ghost
/// norms: Goodfellow 2015; Li et al. 2021), and `addGradients` takes the sum of all, each times
/// its factor, from the same (book-keeping: Bu et al. 2023).
protocol LayerKernel: AnyObject {
    /// New parameters, once a step: those of this layer.
    func prepare(_ parameters: UnsafePointer<Float>)
    func forward(_ batch: MicroBatch)
    /// Makes the gradient at the input of that at the output, where `toInput` says so.
    func backward(_ batch: MicroBatch, toInput: Bool)
    /// Adds to each record's the squared length of its gradient: never less than what
    /// `addGradients` adds for it.
    func addSquaredNorms(_ batch: MicroBatch, to norms: Values)
    /// Adds each record's gradient times its factor to the layer's sum. A factor of 0 leaves a
    /// record out whose gradient is no number.
    func addGradients(_ batch: MicroBatch, factors: UnsafePointer<Float>?)
    /// Adds what was kept apart to `sum`, which is in the parameters' order, and forgets it.
    func collect(into sum: Values)
}

extension LayerKernel {
    func prepare(_ parameters: UnsafePointer<Float>) {}
    func addSquaredNorms(_ batch: MicroBatch, to norms: Values) {}
    func addGradients(_ batch: MicroBatch, factors: UnsafePointer<Float>?) {}
    func collect(into sum: Values) {}
}

/// Memory that is taken once and given back together.
final class Arena {
    private var blocks: [UnsafeMutableRawPointer] = []

    /// Zeros, at the start of a cache line, with a line to spare.
    func floats(_ count: Int) -> Values {
        let bytes = (count * MemoryLayout<Float>.stride + 127) / 64 * 64
        let block = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        blocks.append(block)
        let values = block.bindMemory(to: Float.self, capacity: bytes / 4)
        values.initialize(repeating: 0, count: bytes / 4)
        return values
    }

    deinit {
        for block in blocks { block.deallocate() }
    }
}

extension Activation? {
    /// As CLearning names it.
    var code: Int32 {
        switch self {
        case nil: 0
        case .relu: 1
        case .tanh: 2
        }
    }
}
