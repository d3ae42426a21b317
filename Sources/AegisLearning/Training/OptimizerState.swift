import CLearning

/// The parameters and what an optimiser remembers of the steps before.
struct OptimizerState {
    var parameters: [Float]
    private(set) var average: [Float]?
    /// Momentum, or Adam's first moment.
    private var velocity: [Float]
    /// Adam's second moment; empty for SGD.
    private var squares: [Float]

    init(_ plan: TrainingPlan, parameters: [Float]) {
        self.parameters = parameters
        average = plan.averaging == nil ? nil : parameters
        velocity = [Float](repeating: 0, count: parameters.count)
        squares =
            switch plan.optimizer {
            case .sgd: []
            case .adam: velocity
            }
    }

    /// One step along sum / B.
    mutating func descend(
        _ plan: TrainingPlan, sum: UnsafeMutableBufferPointer<Float>, base: [Float], step: Int,
        pool: WorkerPool
    ) {
        let rate = plan.learningRate.value(at: step, of: plan.steps)
        let divisor = 1 / Float(plan.expectedBatch)
        let count = parameters.count
        parameters.withUnsafeMutableBufferPointer { parameters in
            velocity.withUnsafeMutableBufferPointer { velocity in
                squares.withUnsafeMutableBufferPointer { squares in
                    base.withUnsafeBufferPointer { base in
                        guard let parameters = parameters.baseAddress,
                            let velocity = velocity.baseAddress, let base = base.baseAddress,
                            let sum = sum.baseAddress
                        else { return }
                        let squares = squares.baseAddress
                        pool.forEachThread { thread in
                            let range = (0..<count).part(thread, of: pool.threads, step: 16)
                            let start = range.lowerBound
                            switch plan.optimizer {
                            case .sgd(let momentum):
                                aegis_descend_sgd(
                                    parameters + start, velocity + start, sum + start,
                                    base + start, divisor, momentum, rate, plan.proximal,
                                    range.count)
                            case .adam(let beta1, let beta2, let epsilon):
                                guard let squares else { return }
                                Adam(
                                    beta1: beta1, beta2: beta2, epsilon: epsilon, rate: rate,
                                    step: step
                                ).descend(
                                    parameters, velocity, squares, in: range
                                ) {
                                    sum[$0] * divisor
                                        + plan.proximal * (parameters[$0] - base[$0])
                                }
                            }
                        }
                    }
                }
            }
        }
        if let decay = plan.averaging { blend(decay: decay, step: step) }
    }

    private mutating func blend(decay: Float, step: Int) {
        let decay = min(decay, Float(1 + step) / Float(10 + step))
        let parameters = parameters
        average?.withUnsafeMutableBufferPointer { average in
            for index in average.indices {
                average[index] = decay * average[index] + (1 - decay) * parameters[index]
            }
        }
    }

    /// Any infinity or NaN makes the sum of squares one.
    var isFinite: Bool {
        parameters.withUnsafeBufferPointer { parameters in
            guard let base = parameters.baseAddress else { return true }
            return aegis_squared_norm(base, parameters.count).isFinite
        }
    }
}

/// Kingma and Ba 2015, Algorithm 1.
struct Adam {
    let beta1: Float
    let beta2: Float
    let epsilon: Float
    private let rate: Float
    private let rootCorrection: Float

    init(beta1: Float, beta2: Float, epsilon: Float, rate: Float, step: Int) {
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.rate = rate / (1 - Self.power(beta1, step))
        rootCorrection = 1 / (1 - Self.power(beta2, step)).squareRoot()
    }

    private static func power(_ base: Float, _ exponent: Int) -> Float {
        var (result, square, left) = (1.0, Double(base), exponent)
        while left > 0 {
            if left & 1 == 1 { result *= square }
            square *= square
            left >>= 1
        }
        return Float(result)
    }

    func descend(
        _ parameters: Values, _ moments: Values, _ squares: Values, in range: Range<Int>,
        _ gradient: (Int) -> Float
    ) {
        for index in range {
            let slope = gradient(index)
            let moment = beta1 * moments[index] + (1 - beta1) * slope
            let square = beta2 * squares[index] + (1 - beta2) * slope * slope
            moments[index] = moment
            squares[index] = square
            parameters[index] -=
                rate * moment / (square.squareRoot() * rootCorrection + epsilon)
        }
    }
}

enum VectorKernels {
    static func add(
        _ source: Values, to target: UnsafeMutableBufferPointer<Float>, in range: Range<Int>
    ) {
        guard let target = target.baseAddress else { return }
        aegis_add_scaled(target + range.lowerBound, source + range.lowerBound, 1, range.count)
    }
}
