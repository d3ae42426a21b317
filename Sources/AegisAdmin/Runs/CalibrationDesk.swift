import AegisAPI
import AegisPrivacy

/// σ for an ε, or ε for a σ, and how ε grows along the run.
enum CalibrationDesk {
    static func answer(_ call: Call) throws -> CalibrationView {
        let delta = call.number("delta") ?? 0
        let rate = call.number("sampling_rate") ?? 0
        let steps = call.integer("steps") ?? 0
        let sigma: Double
        if let given = call.number("noise_multiplier") {
            sigma = given
        } else {
            do {
                sigma = try Calibration.noiseMultiplier(
                    epsilon: call.number("epsilon") ?? 0, delta: delta, samplingRate: rate,
                    steps: steps)
            } catch {
                throw Problem(
                    .notReady, detail: "no noise reaches this ε in \(steps) steps",
                    hint: "allow a larger ε or δ, fewer steps, or a lower sampling rate")
            }
        }
        let course: [Double]
        do {
            course = try (1...10).map { tenth in
                let phase = try PrivacyPhase(
                    samplingRate: rate, noiseMultiplier: sigma,
                    steps: max(1, Int((Double(steps) * Double(tenth) / 10).rounded())))
                return PrivacyAccountant([phase]).epsilon(atDelta: delta)
            }
        } catch {
            throw Problem(.notReady, detail: "no mechanism has a noise of \(sigma)")
        }
        guard let epsilon = course.last, epsilon.isFinite, epsilon < 1e300 else {
            throw Problem(
                .notReady, detail: "no finite ε is proved with so little noise",
                hint: "use a larger noise multiplier")
        }
        return CalibrationView(
            epsilon: epsilon, delta: delta, noiseMultiplier: sigma, samplingRate: rate,
            steps: steps, accountant: "best", course: course)
    }
}
