import Glibc

/// Whose records a pilot looks at.
package enum PilotData: Hashable, Sendable {
    /// Anyone may see them: the search costs nothing.
    case published
    /// Made up, or somebody else's, to resemble the private ones.
    case standIn
    /// The search itself is paid for; without a charge it is refused.
    case privateRecords(TuningCharge?)
}

/// Why no noise was found.
package enum TargetingError: Error, Hashable, Sendable {
    /// Trying settings on private records reveals them too: it must be charged.
    case searchNotCharged
    case invalidRange
    /// Not even with the least noise.
    case goalNotReached(accuracyBest: Double)
}

/// Looks for the most noise, hence the least ε, with which a pilot still reaches an accuracy.
///
/// The pilot is given a mechanism and trains with it; it must be repeatable: the same mechanism,
/// the same accuracy (fix its seeds).
package struct AccuracyTargeting: Sendable {
    package let goal: Double
    package let delta: Double
    package let samplingRate: Double
    package let steps: Int
    /// σ, from the least to the most noise.
    package let noise: ClosedRange<Double>

    /// One training of the search.
    package struct Point: Hashable, Sendable {
        package let noiseMultiplier: Double
        package let epsilon: Double
        package let accuracy: Double
    }

    package struct Report: Sendable {
        /// Every training, by noise: the curve of accuracy over ε.
        package let curve: [Point]
        /// The most noise that reached the goal.
        package let chosen: Point
        /// ε of the search itself, to be charged beside the run; zero on published records.
        package let searchEpsilon: Double
        package let data: PilotData
    }

    package init(
        goal: Double, delta: Double, samplingRate: Double, steps: Int,
        noise: ClosedRange<Double>
    ) throws(TargetingError) {
        guard goal > 0, goal <= 1, delta > 0, delta < 1, samplingRate > 0, samplingRate <= 1,
            steps > 0, noise.lowerBound > 0, noise.upperBound.isFinite
        else { throw .invalidRange }
        self.goal = goal
        self.delta = delta
        self.samplingRate = samplingRate
        self.steps = steps
        self.noise = noise
    }

    /// Runs the pilot as often as it takes: on published and stand-in records a bisection of
    /// log σ, on private ones trainings at random σ, as many as the charge's draw says.
    package func search(
        on data: PilotData, trainingsMax: Int = 12,
        using generator: inout some RandomNumberGenerator,
        pilot: (PrivacyPhase) throws -> Double
    ) throws -> Report {
        var points: [Point] = []
        func train(_ sigma: Double) throws -> Bool {
            let phase = PrivacyPhase(rate: samplingRate, noise: sigma, steps: steps)
            let point = Point(
                noiseMultiplier: sigma,
                epsilon: PrivacyAccountant([phase]).epsilon(atDelta: delta),
                accuracy: try pilot(phase))
            points.append(point)
            return point.accuracy >= goal
        }
        var searchEpsilon = 0.0
        let (low, high) = (log(noise.lowerBound), log(noise.upperBound))
        switch data {
        case .privateRecords(nil): throw TargetingError.searchNotCharged
        case .privateRecords(let charge?):
            let costliest = PrivacyPhase(
                rate: samplingRate, noise: noise.lowerBound, steps: steps)
            searchEpsilon = charge.epsilon(of: costliest, delta: delta)
            for _ in 0..<charge.trainings(using: &generator) {
                let share = Double(generator.next() >> 11) * 0x1p-53
                _ = try train(exp(low + share * (high - low)))
            }
        case .published, .standIn:
            var (enough, few) = (low, high)
            if try !train(exp(high)), try train(exp(low)) {
                while points.count < trainingsMax, few - enough > 0.005 {
                    let middle = (enough + few) / 2
                    if try train(exp(middle)) { enough = middle } else { few = middle }
                }
            }
        }
        points.sort { $0.noiseMultiplier < $1.noiseMultiplier }
        guard let chosen = points.last(where: { $0.accuracy >= goal }) else {
            throw TargetingError.goalNotReached(
                accuracyBest: points.map(\.accuracy).max() ?? 0)
        }
        return Report(curve: points, chosen: chosen, searchEpsilon: searchEpsilon, data: data)
    }
}
