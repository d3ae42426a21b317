package import AegisPrivacy
import AegisReport
package import ArgumentParser

/// Which batch, noise and steps keep a data set within a budget.
package struct PrivacyPlan: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "The ways to spend a budget on a data set: batches, steps and their noise.",
        discussion: """
            NOISE/SIGNAL is sigma / (q * sqrt(steps)): how far the noise of all steps together
            moves the model against what the records do. Less is better; it falls with larger
            batches, which cost time.

            Example:
              aegis privacy plan --records 6000 --epsilon 3 --rounds 20
            """)

    @Option(help: "How many records the data set has.")
    package var records: Int
    @Option(help: "The budget.")
    package var epsilon: Double
    @Option(help: "The probability that epsilon may not hold; 1e-5, or 1/(10 * records) if less.")
    package var delta: Double?
    @Option(help: "How many rounds the budget must last.")
    package var rounds: Int
    @Option(help: "Passes over the data in each round.")
    package var epochs: Double = 1
    @Option(help: "rdp, pld or best: the one that charges the run.")
    package var accountant: AccountantKind = .best
    @Option(help: "text or json.")
    package var output: ReportFormat = .text

    package init() {}

    package struct Row: Equatable {
        package let batch: Int
        package let samplingRate: Double
        package let stepsPerRound: Int
        package let noiseMultiplier: Double
        package let epsilon: Double
        package let noiseToSignal: Double
    }

    package func run() throws { Console.write(try text(width: Console.columns)) }

    package func text(width: Int) throws(Failure) -> String {
        let rows = try rows()
        if output == .json {
            let objects = rows.map { row in
                "{\"batch\":\(row.batch),\"sampling_rate\":\(row.samplingRate),"
                    + "\"steps_per_round\":\(row.stepsPerRound),"
                    + "\"noise_multiplier\":\(row.noiseMultiplier),\"epsilon\":\(row.epsilon)}"
            }
            return "[\(objects.joined(separator: ","))]\n"
        }
        let table = Table(
            [
                .init("BATCH", .right), .init("SAMPLING RATE", .right),
                .init("STEPS/ROUND", .right), .init("NOISE MULTIPLIER", .right),
                .init("EPSILON", .right), .init("NOISE/SIGNAL", .right),
            ],
            rows: rows.map { row in
                [
                    "\(row.batch)", Decimal.shortest(row.samplingRate, placesMax: 6),
                    "\(row.stepsPerRound)", "\(row.noiseMultiplier)",
                    PrivacyEpsilon.shown(row.epsilon), Decimal.fixed(row.noiseToSignal, places: 2),
                ]
            })
        return "epsilon \(epsilon) at delta \(deltaUsed), \(records) records, "
            + "\(Output.plural(rounds, "round")):\n\n" + table.text(width: max(80, width))
    }

    private var deltaUsed: Double { delta ?? min(1e-5, 0.1 / Double(max(1, records))) }

    package func rows() throws(Failure) -> [Row] {
        guard records > 0, records <= 1_000_000_000 else {
            throw Failure(.usage, "--records must be from 1 to 10^9")
        }
        guard rounds > 0, rounds <= 1_000_000 else {
            throw Failure(.usage, "--rounds must be from 1 to 10^6")
        }
        guard epochs > 0, epochs <= 1_000 else {
            throw Failure(.usage, "--epochs must be above 0 and at most 1000")
        }
        guard epsilon > 0, epsilon.isFinite, deltaUsed > 0, deltaUsed < 1 else {
            throw Failure(.usage, "--epsilon must be above 0, --delta between 0 and 1")
        }
        var batches: [Int] = []
        var batch = 16
        while batch < records {
            batches.append(batch)
            batch *= 2
        }
        batches.append(records)
        var rows: [Row] = []
        for batch in batches.suffix(9) { rows.append(try row(batch)) }
        return rows
    }

    private func row(_ batch: Int) throws(Failure) -> Row {
        let rate = Double(batch) / Double(records)
        let perRound = max(1, Int((epochs / rate).rounded()))
        let steps = perRound * rounds
        do throws(CalibrationError) {
            let noise = try Calibration.noiseMultiplier(
                epsilon: epsilon, delta: deltaUsed, samplingRate: rate, steps: steps,
                accountant: accountant)
            guard
                let phase = try? PrivacyPhase(
                    samplingRate: rate, noiseMultiplier: noise, steps: steps)
            else { throw .invalidTarget }
            return Row(
                batch: batch, samplingRate: rate, stepsPerRound: perRound,
                noiseMultiplier: noise,
                epsilon: PrivacyAccountant([phase], accountant).epsilon(atDelta: deltaUsed),
                noiseToSignal: noise / (rate * Double(steps).squareRoot()))
        } catch {
            throw Failure(.usage, "batch \(batch): \(error)")
        }
    }
}
