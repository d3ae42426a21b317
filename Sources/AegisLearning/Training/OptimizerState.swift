import CLearning

/// The parameters and what an optimiser remembers of the steps before, in memory of its own:
/// several threads write to parts of it.
final class OptimizerState {
    let count: Int
    private let arena = Arena()
    let parameters: Values
    private let average: Values?
    /// Momentum, or Adam's first moment.
    private let velocity: Values
    /// Adam's second moment.
    private let squares: Values?

    init(_ plan: TrainingPlan, parameters base: [Float]) {
        count = base.count
        parameters = arena.floats(base.count)
        velocity = arena.floats(base.count)
        average = plan.averaging == nil ? nil : arena.floats(base.count)
        squares =
            switch plan.optimizer {
            case .sgd: nil
            case .adam: arena.floats(base.count)
            }
        for index in base.indices {
            parameters[index] = base[index]
            average?[index] = base[index]
        }
    }

    var parameterArray: [Float] { Array(UnsafeBufferPointer(start: parameters, count: count)) }
    var averageArray: [Float]? {
        average.map { Array(UnsafeBufferPointer(start: $0, count: count)) }
    }

    /// What the step with this number does to each part of the parameters. `shared`: more than one
    /// thread does it.
    func descent(_ plan: TrainingPlan, base: [Float], step: Int, shared: Bool) -> Descent {
        Descent(
            optimizer: plan.optimizer,
            rate: plan.learningRate.value(
                at: plan.stepsBefore + step, of: plan.scheduleSteps ?? plan.steps),
            divisor: 1 / Float(plan.expectedBatch), pull: plan.proximal, step: step,
            decay: plan.averaging.map { min($0, Float(1 + step) / Float(10 + step)) },
            shared: shared, base: base, parameters: parameters, velocity: velocity,
            squares: squares, average: average)
    }
}

/// One step along sum / B.
struct Descent {
    let optimizer: Optimizer
    let rate: Float
    let divisor: Float
    let pull: Float
    let step: Int
    let decay: Float?
    let shared: Bool
    let base: [Float]
    let parameters: Values
    let velocity: Values
    let squares: Values?
    let average: Values?

    /// On the parameters from `start`, as many as `sum` has. Whether all of them are numbers.
    func descend(along sum: UnsafeMutableBufferPointer<Float>, at start: Int) -> Bool {
        guard let gradient = sum.baseAddress else { return true }
        let squared = base.withUnsafeBufferPointer { base -> Float in
            guard let base = base.baseAddress else { return 0 }
            switch optimizer {
            case .sgd(let momentum):
                return aegis_descend_sgd(
                    parameters + start, velocity + start, gradient, base + start, divisor,
                    momentum, rate, pull, sum.count, shared ? 1 : 0)
            case .adam(let beta1, let beta2, let epsilon):
                let adam = Adam(
                    beta1: beta1, beta2: beta2, epsilon: epsilon, rate: rate, step: step)
                guard let squares else { return 0 }
                for index in start..<start + sum.count {
                    let slope =
                        gradient[index - start] * divisor
                        + pull * (parameters[index] - base[index])
                    parameters[index] -= adam.change(
                        slope, moment: &velocity[index], square: &squares[index])
                }
                return aegis_squared_norm(parameters + start, sum.count)
            }
        }
        if let decay, let average {
            for index in start..<start + sum.count {
                average[index] = decay * average[index] + (1 - decay) * parameters[index]
            }
        }
        return squared.isFinite
    }
}

/// Kingma and Ba 2015, Algorithm 1.
struct Adam {
    private let beta1: Float
    private let beta2: Float
    private let epsilon: Float
    private let rate: Float
    private let rootCorrection: Float

    init(beta1: Float, beta2: Float, epsilon: Float, rate: Float, step: Int) {
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.rate = rate / Float(1 - Self.power(Double(beta1), step))
        rootCorrection = 1 / Float(1 - Self.power(Double(beta2), step)).squareRoot()
    }

    private static func power(_ base: Double, _ exponent: Int) -> Double {
        var (result, square, left) = (1.0, base, exponent)
        while left > 0 {
            if left & 1 == 1 { result *= square }
            square *= square
            left >>= 1
        }
        return result
    }

    func change(_ slope: Float, moment: inout Float, square: inout Float) -> Float {
        moment = beta1 * moment + (1 - beta1) * slope
        square = beta2 * square + (1 - beta2) * slope * slope
        return rate * moment / (square.squareRoot() * rootCorrection + epsilon)
    }
}

enum VectorKernels {
    static func add(_ source: Values, to target: UnsafeMutableBufferPointer<Float>) {
        guard let base = target.baseAddress else { return }
        aegis_add_scaled(base, source, 1, target.count)
    }
}
