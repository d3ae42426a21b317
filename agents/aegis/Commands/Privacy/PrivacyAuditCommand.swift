import AegisCrypto
import AegisLearning
import AegisPrivacy
package import ArgumentParser
import Foundation

package struct PrivacyAuditCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Attacks the mechanism, and prints what is proved beside what is claimed.",
        discussion: """
            Two attacks: on sampling, clipped sum and noise alone, by the best test there is on the
            worst pair of data sets; and on whole trainings, by canaries of which half are trained
            on (Steinke, Nasr and Jagielski 2023). Each is then repeated with half the noise that
            is charged, which it must notice. Exit 1 where more is proved than claimed, or where
            half the noise went unnoticed.

            Example:
              aegis privacy audit --trials 1000000
            """)

    @Option(help: "Trials of each mechanism.")
    package var trials: Int = 400_000

    @Option(help: "Canaries in the trainings; 0 leaves them out.")
    package var canaries: Int = 49_152

    @Option(help: "How likely a wrong alarm may be, in each row.")
    package var significance: Double = 0.001

    @Option(help: "text or json.")
    package var output: ReportFormat = .text

    package init() {}

    package func validate() throws {
        guard (1_000...100_000_000).contains(trials) else {
            throw ValidationError("--trials is from 1000 to 100000000")
        }
        guard canaries == 0 || (1_024...10_000_000).contains(canaries) else {
            throw ValidationError("--canaries is 0 or from 1024 to 10000000")
        }
        guard significance > 0, significance <= 0.5 else {
            throw ValidationError("--significance is above 0 and at most 0.5")
        }
    }

    package func run() async throws {
        LinearAlgebra.prepare()
        let report = try AuditReport(
            trials: trials, canaries: canaries, significance: significance)
        switch output {
        case .json: Console.write(try report.json)
        case .text: Console.write(report.text)
        }
        if !report.passed {
            throw Failure(
                .failure, "the audit failed",
                details: report.rows.filter { !$0.passed }.map(\.verdict))
        }
    }
}

/// What `aegis privacy audit` found.
package struct AuditReport: Codable, Sendable {
    package struct Row: Codable, Sendable {
        package let mechanism: String
        package let noise: String
        package let samplingRate: Double
        package let noiseMultiplier: Double
        package let steps: Int
        package let delta: Double
        /// ε that the accountant claims of the noise that is charged.
        package let claimed: Double
        /// ε that the attack proves.
        package let lower: Double
        /// The same attack on half the noise.
        package let lowerWithHalfTheNoise: Double

        package var passed: Bool { lower <= claimed && lowerWithHalfTheNoise > claimed }

        var verdict: String {
            if lower > claimed { return "\(mechanism): ε \(lower) proved, \(claimed) claimed" }
            return passed ? "\(mechanism): sound" : "\(mechanism): half the noise unnoticed"
        }
    }

    package let rows: [Row]
    package var passed: Bool { rows.allSatisfy(\.passed) }

    package init(trials: Int, canaries: Int, significance: Double) throws {
        var generator = CryptographicGenerator()
        var rows: [Row] = []
        for noise in NoiseGenerator.allCases {
            for (rate, sigma, steps) in [(1.0, 1.0, 1), (1, 3, 10), (0.1, 0.5, 1), (0.1, 0.7, 10)] {
                let share = noise == .exact ? trials / 4 : trials
                rows.append(
                    try Self.mechanism(
                        MechanismAudit(
                            samplingRate: rate, noiseMultiplier: sigma, steps: steps,
                            noise: noise),
                        trials: share, significance: significance, using: &generator))
            }
        }
        if canaries > 0 {
            rows.append(
                try Self.training(
                    CanaryAudit(
                        samplingRate: 1, noiseMultiplier: 4, steps: 4,
                        runs: (canaries + 1_023) / 1_024),
                    significance: significance, using: &generator))
        }
        self.rows = rows
    }

    private static func claim(
        _ rate: Double, _ noise: Double, steps: Int, delta: Double
    ) throws -> Double {
        let phase = try PrivacyPhase(
            samplingRate: rate, noiseMultiplier: noise, steps: steps)
        return PrivacyAccountant([phase]).epsilon(atDelta: delta)
    }

    private static func mechanism(
        _ audit: MechanismAudit, trials: Int, significance: Double,
        using generator: inout CryptographicGenerator
    ) throws -> Row {
        let delta = 0.01
        func lower(_ scale: Double) throws -> Double {
            var audit = audit
            audit.noiseScale = scale
            guard
                let bound = audit.epsilonLower(
                    trials: trials, delta: delta, significance: significance,
                    using: &generator)
            else { throw Failure(.internalError, "the mechanism can't be made") }
            return bound
        }
        return Row(
            mechanism: "clipped sum", noise: audit.noise.rawValue,
            samplingRate: audit.samplingRate, noiseMultiplier: audit.noiseMultiplier,
            steps: audit.steps, delta: delta,
            claimed: try claim(
                audit.samplingRate, audit.noiseMultiplier, steps: audit.steps, delta: delta),
            lower: try lower(1), lowerWithHalfTheNoise: try lower(0.5))
    }

    private static func training(
        _ audit: CanaryAudit, significance: Double,
        using generator: inout CryptographicGenerator
    ) throws -> Row {
        let delta = 1e-5
        func lower(_ scale: Double) throws -> Double {
            var audit = audit
            audit.noiseScale = scale
            return try audit.run(
                delta: delta, significance: significance, using: &generator
            ).lower
        }
        return Row(
            mechanism: "training", noise: NoiseGenerator.fast.rawValue,
            samplingRate: audit.samplingRate, noiseMultiplier: audit.noiseMultiplier,
            steps: audit.steps, delta: delta,
            claimed: try claim(
                audit.samplingRate, audit.noiseMultiplier, steps: audit.steps, delta: delta),
            lower: try lower(1), lowerWithHalfTheNoise: try lower(0.5))
    }

    package var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            encoder.keyEncodingStrategy = .convertToSnakeCase
            return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
        }
    }

    package var text: String {
        func number(_ value: Double) -> String { Output.number(value, places: 3) }
        let table = Table(
            [
                .init("ATTACK ON"), .init("NOISE"), .init("Q", .right), .init("σ", .right),
                .init("STEPS", .right), .init("δ", .right), .init("CLAIMED ε", .right),
                .init("PROVED ε", .right), .init("WITH HALF THE NOISE", .right),
                .init("VERDICT"),
            ],
            rows: rows.map { row in
                [
                    row.mechanism, row.noise, "\(row.samplingRate)", "\(row.noiseMultiplier)",
                    "\(row.steps)", "\(row.delta)", number(row.claimed), number(row.lower),
                    number(row.lowerWithHalfTheNoise), row.passed ? "sound" : "FAILED",
                ]
            })
        return table.text(width: 120)
    }
}
