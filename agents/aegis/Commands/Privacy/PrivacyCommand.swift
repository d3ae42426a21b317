package import AegisPrivacy
package import ArgumentParser

/// The arithmetic of privacy: needs no admin and no context.
package struct PrivacyCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "privacy",
        abstract: "Computes what training costs in privacy, plans it, audits it; shows ledgers.",
        discussion: """
            Mechanism: Poisson-sampled Gaussian noise; adjacency: add or remove one record.
            With --batch FILE every command answers JSON lines (docs/CLI.md).
            """,
        subcommands: [
            PrivacyEpsilon.self, PrivacyDelta.self, PrivacyCalibrate.self, PrivacyRDP.self,
            PrivacyPlan.self, PrivacyTargetCommand.self, LedgerCommand.self,
            PrivacyAuditCommand.self,
        ])

    package init() {}
}

extension AccountantKind: ExpressibleByArgument {}

/// What a person says of a mechanism.
package struct MechanismOptions: ParsableArguments {
    @Option(help: "q: how likely each record joins a step, from 0 to 1.")
    package var samplingRate: Double?

    @Option(help: "Sigma: the noise's standard deviation over the clipping norm.")
    package var noiseMultiplier: Double?

    @Option(help: "How many steps.")
    package var steps: Int?

    package init() {}

    /// A phase, where everything is given.
    func phase(steps count: Int? = nil) throws(Failure) -> PrivacyPhase {
        guard let samplingRate, let noiseMultiplier, let steps = count ?? steps else {
            throw Failure(
                .usage, "a mechanism is --sampling-rate, --noise-multiplier and --steps",
                hint: "or give --batch FILE")
        }
        do {
            return try PrivacyPhase(
                samplingRate: samplingRate, noiseMultiplier: noiseMultiplier, steps: steps)
        } catch {
            throw Failure(.usage, "\(error)")
        }
    }
}

package struct PrivacyEpsilon: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "epsilon",
        abstract: "Epsilon at a delta, by both accountants, and its course over the steps.",
        discussion: """
            Example:
              aegis privacy epsilon --sampling-rate .01 --noise-multiplier 1 --steps 10000
            """)

    @OptionGroup package var mechanism: MechanismOptions
    @Option(help: "The probability that epsilon may not hold.")
    package var delta: Double = 1e-5
    @Option(help: "A file of cases, one JSON object a line; - for standard input.")
    package var batch: String?
    @Option(help: "text or json.")
    package var output: ReportFormat = .text

    package init() {}

    package func run() throws {
        if let batch { return try PrivacyBatch.run(batch, PrivacyBatch.epsilon) }
        Console.write(try text(width: Console.columns))
    }

    package func text(width: Int) throws(Failure) -> String {
        let phase = try mechanism.phase()
        guard delta > 0, delta < 1 else {
            throw Failure(.usage, "--delta must be between 0 and 1, is \(delta)")
        }
        let exact = PrivacyAccountant([phase], .pld)
        let pld = exact.epsilon(atDelta: delta)
        let lower = min(pld, exact.epsilonLower(atDelta: delta))
        let rdp = PrivacyAccountant([phase], .rdp).epsilon(atDelta: delta)
        let best = min(pld, rdp)
        if output == .json {
            return "{\"epsilon\":\(PrivacyBatch.number(best)),"
                + "\"epsilon_lower\":\(PrivacyBatch.number(lower)),"
                + "\"epsilon_pld\":\(PrivacyBatch.number(pld)),"
                + "\"epsilon_rdp\":\(PrivacyBatch.number(rdp)),"
                + "\"delta\":\(PrivacyBatch.number(delta))}\n"
        }
        var lines = ["epsilon \(Self.shown(best)) at delta \(delta)", ""]
        lines.append("  by the privacy loss distribution  \(Self.shown(pld))")
        lines.append("  not below                         \(Self.shown(lower, .down))")
        lines.append("  by Renyi divergences              \(Self.shown(rdp))")
        let text = lines.joined(separator: "\n") + "\n"
        guard phase.steps > 1, best > 0, best.isFinite else { return text }
        return text + "\n" + chart(phase).text(width: width)
    }

    private func chart(_ phase: PrivacyPhase) -> TextChart {
        var curve = EpsilonCurve(of: phase, delta: delta)
        let points = min(40, phase.steps)
        return TextChart(
            title: "epsilon", xLabel: "steps",
            points: [(0.0, 0.0)]
                + (1...points).map { index in
                    let steps = Int(Double(phase.steps) * Double(index) / Double(points))
                    return (Double(steps), curve.epsilon(afterSteps: max(1, steps)))
                })
    }

    /// Rounded up, or down where it is a lower bound: a bound must stay one.
    static func shown(_ value: Double, _ rule: FloatingPointRoundingRule = .up) -> String {
        guard value.isFinite else { return "infinite" }
        guard value > 0 else { return "0" }
        var scale = 1.0
        while value * scale < 1_000, scale < 1e18 { scale *= 10 }
        return "\((value * scale).rounded(rule) / scale)"
    }
}

package struct PrivacyDelta: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "delta", abstract: "Delta at an epsilon.",
        discussion: """
            Example:
              aegis privacy delta --sampling-rate .01 --noise-multiplier 1 --steps 1000 --epsilon 2
            """)

    @OptionGroup package var mechanism: MechanismOptions
    @Option(help: "The epsilon that is to hold but with probability delta.")
    package var epsilon: Double?
    @Option(help: "A file of cases, one JSON object a line; - for standard input.")
    package var batch: String?

    package init() {}

    package func run() throws {
        if let batch { return try PrivacyBatch.run(batch, PrivacyBatch.delta) }
        guard let epsilon, epsilon >= 0 else {
            throw Failure(.usage, "--epsilon must be a number from 0")
        }
        let delta = PrivacyAccountant([try mechanism.phase()]).delta(atEpsilon: epsilon)
        Console.write("delta \(PrivacyEpsilon.shown(delta)) at epsilon \(epsilon)\n")
    }
}

package struct PrivacyCalibrate: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "calibrate",
        abstract: "Finds the noise, the steps or the sampling rate that meet a budget.",
        discussion: """
            Give two of --sampling-rate, --noise-multiplier and --steps; the third is found.

            Example:
              aegis privacy calibrate --epsilon 3 --sampling-rate .01 --steps 10000
            """)

    @OptionGroup package var mechanism: MechanismOptions
    @Option(help: "The budget.")
    package var epsilon: Double?
    @Option(help: "The probability that epsilon may not hold.")
    package var delta: Double = 1e-5
    @Option(help: "rdp, pld or best: the one that charges the run.")
    package var accountant: AccountantKind = .best
    @Option(help: "A file of cases, one JSON object a line; - for standard input.")
    package var batch: String?

    package init() {}

    package func run() throws {
        if let batch { return try PrivacyBatch.run(batch, PrivacyBatch.calibrate) }
        Console.write(try text())
    }

    package func text() throws(Failure) -> String {
        guard let epsilon else { throw Failure(.usage, "--epsilon is missing") }
        do throws(CaseFault) {
            let target = try PrivacyTarget(
                epsilon: epsilon, delta: delta, accountant: accountant,
                samplingRate: mechanism.samplingRate,
                noiseMultiplier: mechanism.noiseMultiplier, steps: mechanism.steps)
            let (phase, _) = try Self.solve(target)
            let reached = PrivacyAccountant([phase], accountant).epsilon(atDelta: delta)
            return """
                sampling rate     \(phase.samplingRate)
                noise multiplier  \(phase.noiseMultiplier)
                steps             \(phase.steps)
                epsilon           \(PrivacyEpsilon.shown(reached)) of \(epsilon) at delta \(delta)

                """
        } catch {
            throw Failure(.usage, error.message)
        }
    }

    private static func solve(
        _ target: PrivacyTarget
    ) throws(CaseFault) -> (PrivacyPhase, String) {
        do throws(CalibrationError) { return try target.solved() } catch {
            throw CaseFault(error.description)
        }
    }
}

package struct PrivacyRDP: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "rdp", abstract: "The Renyi divergence of one step, by order.",
        discussion: """
            Example:
              aegis privacy rdp --sampling-rate .01 --noise-multiplier 1 --order 2 --order 8
            """)

    @Option(help: "q: how likely each record joins a step, from 0 to 1.")
    package var samplingRate: Double?
    @Option(help: "Sigma: the noise's standard deviation over the clipping norm.")
    package var noiseMultiplier: Double?
    @Option(help: "A Renyi order above 1; can be given several times.")
    package var order: [Double] = [1.5, 2, 4, 8, 16, 32, 64]
    @Option(help: "A file of cases, one JSON object a line; - for standard input.")
    package var batch: String?

    package init() {}

    package func run() throws {
        if let batch { return try PrivacyBatch.run(batch, PrivacyBatch.rdp) }
        var options = MechanismOptions()
        options.samplingRate = samplingRate
        options.noiseMultiplier = noiseMultiplier
        let phase = try options.phase(steps: 1)
        guard order.allSatisfy({ $0 > 1 && $0.isFinite }) else {
            throw Failure(.usage, "--order must be a number above 1")
        }
        let rows = order.map { ["\($0)", PrivacyBatch.number(phase.renyiDivergence(order: $0))] }
        Console.write(
            Table([.init("ORDER", .right), .init("DIVERGENCE")], rows: rows).text())
    }
}
