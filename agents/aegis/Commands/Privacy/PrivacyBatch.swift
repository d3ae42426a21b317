import AegisAPI
import AegisNode
import AegisPrivacy
import AegisReport
import Foundation

/// Cases in, answers out: one JSON object a line. A bad case is answered with its error, and the
/// others go on.
package enum PrivacyBatch {
    /// Answers each line of a file, or of standard input where the path is `-`.
    static func run(
        _ path: String, _ answer: (PrivacyCase) throws(CaseFault) -> String
    ) throws(Failure) {
        // Lattices do.
        ProcessMemory.keepLargeBlocks()
        let data: Data
        do {
            data =
                path == "-"
                ? FileHandle.standardInput.readDataToEndOfFile()
                : try Data(contentsOf: URL(filePath: path))
        } catch {
            throw Failure(.notFound, "can't read \(path)", hint: "give a file of JSON lines, or -")
        }
        for line in data.split(separator: UInt8(ascii: "\n")) {
            if let text = respond(Array(line), answer) { Console.write(text + "\n") }
        }
    }

    /// Nil for an empty line.
    package static func respond(
        _ line: [UInt8], _ answer: (PrivacyCase) throws(CaseFault) -> String
    ) -> String? {
        guard line.contains(where: { $0 > 0x20 }) else { return nil }
        var id = JSONValue.null
        do throws(CaseFault) {
            let value: JSONValue
            do throws(LenientJSON.Fault) {
                value = try LenientJSON.parse(line)
            } catch {
                id = LenientJSON.salvagedID(line) ?? .null
                throw CaseFault("not JSON: expected \(error.expected) at byte \(error.offset)")
            }
            if case .object(let fields) = value { id = fields["id"] ?? .null }
            return "{\"id\":\(encoded(id)),\(try answer(PrivacyCase(value)))}"
        } catch {
            return "{\"id\":\(encoded(id)),\"error\":\(encoded(.text(error.message)))}"
        }
    }

    package static func epsilon(_ given: PrivacyCase) throws(CaseFault) -> String {
        let (phases, kind) = (try given.phases(), try given.accountant())
        let delta = try given.probability("delta")
        let accountant = PrivacyAccountant(phases, kind)
        let (bound, seconds) = timed { accountant.bound(atDelta: delta) }
        let lower = min(accountant.epsilonLower(atDelta: delta), bound.epsilon)
        return "\"epsilon\":\(number(bound.epsilon)),\"epsilon_lower\":\(number(lower)),"
            + "\"accountant\":\"\(bound.by.rawValue)\",\"seconds\":\(seconds)"
            + (try next(given, phases, delta))
    }

    /// ε after each of `next_steps` steps more of the last phase, and how long all of them took.
    private static func next(
        _ given: PrivacyCase, _ phases: [PrivacyPhase], _ delta: Double
    ) throws(CaseFault) -> String {
        guard given.has("next_steps") else { return "" }
        let count = try given.count("next_steps")
        guard count <= nextStepsMax else {
            throw CaseFault("next_steps must be at most \(nextStepsMax), are \(count)")
        }
        guard let last = phases.last, last.steps <= Int.max - count else {
            throw CaseFault("next_steps need a phase")
        }
        guard delta > 0, delta < 1 else {
            throw CaseFault("next_steps need a delta between 0 and 1")
        }
        var curve = EpsilonCurve(of: last, after: Array(phases.dropLast()), delta: delta)
        _ = curve.epsilon(afterSteps: last.steps)
        let (found, seconds) = timed {
            (0..<count).map { curve.epsilon(afterSteps: last.steps + 1 + $0) }
        }
        return ",\"epsilon_next\":[\(found.map(number).joined(separator: ","))],"
            + "\"seconds_next\":\(seconds)"
    }

    /// Each takes about a millisecond.
    private static let nextStepsMax = 1_000

    package static func delta(_ given: PrivacyCase) throws(CaseFault) -> String {
        let (phases, kind) = (try given.phases(), try given.accountant())
        let epsilon = try given.number("epsilon")
        guard epsilon >= 0 else { throw CaseFault("epsilon must be from 0, is \(epsilon)") }
        let accountant = PrivacyAccountant(phases, kind)
        let (delta, seconds) = timed { accountant.delta(atEpsilon: epsilon) }
        return "\"delta\":\(number(delta)),\"seconds\":\(seconds)"
    }

    package static func calibrate(_ given: PrivacyCase) throws(CaseFault) -> String {
        let target = try PrivacyTarget(given)
        do throws(CalibrationError) {
            var found = ""
            let (epsilon, seconds) = try timed { () throws(CalibrationError) in
                let (phase, text) = try target.solved()
                found = text
                return PrivacyAccountant([phase], target.accountant).epsilon(atDelta: target.delta)
            }
            return "\(found),\"epsilon\":\(number(epsilon)),\"seconds\":\(seconds)"
        } catch {
            throw CaseFault(error.description)
        }
    }

    package static func rdp(_ given: PrivacyCase) throws(CaseFault) -> String {
        let (rate, noise) = (try given.probability("sampling_rate"), try given.noise())
        let phase: PrivacyPhase
        do {
            phase = try PrivacyPhase(samplingRate: rate, noiseMultiplier: noise, steps: 1)
        } catch {
            throw CaseFault("\(error)")
        }
        let values = try given.orders().map { number(phase.renyiDivergence(order: $0)) }
        return "\"rdp\":[\(values.joined(separator: ","))]"
    }

    /// Wall seconds, to the microsecond.
    private static func timed<Value, Fault: Error>(
        _ body: () throws(Fault) -> Value
    ) throws(Fault) -> (Value, String) {
        let clock = ContinuousClock()
        let start = clock.now
        let value = try body()
        let seconds = (clock.now - start) / .seconds(1)
        return (value, Decimal.fixed(seconds, places: 6))
    }

    static func number(_ value: Double) -> String {
        value.isFinite ? "\(value)" : "\"\(value > 0 ? "inf" : "-inf")\""
    }

    private static func encoded(_ value: JSONValue) -> String {
        switch value {
        case .number(let number): self.number(number)
        case .null, .bool, .integer, .text, .array, .object:
            (try? AegisAPI.encodeDocument(value)).map { String(decoding: $0, as: UTF8.self) }
                ?? "null"
        }
    }
}

/// A budget, and all but one of what a mechanism is made of.
struct PrivacyTarget {
    let epsilon: Double
    let delta: Double
    let accountant: AccountantKind
    let samplingRate: Double?
    let noiseMultiplier: Double?
    let steps: Int?

    init(_ given: PrivacyCase) throws(CaseFault) {
        epsilon = try given.number("epsilon")
        delta = try given.number("delta")
        accountant = try given.accountant()
        samplingRate =
            given.has("sampling_rate") ? try given.probability("sampling_rate") : nil
        noiseMultiplier = given.has("noise_multiplier") ? try given.noise() : nil
        steps = given.has("steps") ? try given.count("steps") : nil
        guard epsilon > 0, epsilon.isFinite else {
            throw CaseFault("epsilon must be a finite number above 0, is \(epsilon)")
        }
        guard delta > 0, delta < 1 else {
            throw CaseFault("delta must be between 0 and 1, is \(delta)")
        }
        try checkOneIsMissing()
    }

    init(
        epsilon: Double, delta: Double, accountant: AccountantKind, samplingRate: Double?,
        noiseMultiplier: Double?, steps: Int?
    ) throws(CaseFault) {
        self.epsilon = epsilon
        self.delta = delta
        self.accountant = accountant
        self.samplingRate = samplingRate
        self.noiseMultiplier = noiseMultiplier
        self.steps = steps
        try checkOneIsMissing()
    }

    private func checkOneIsMissing() throws(CaseFault) {
        let given = [samplingRate != nil, noiseMultiplier != nil, steps != nil]
        guard given.filter({ $0 }).count == 2 else {
            throw CaseFault(
                "give two of sampling_rate, noise_multiplier, steps: the third is found")
        }
    }

    /// The mechanism, and the field that was found.
    func solved() throws(CalibrationError) -> (PrivacyPhase, String) {
        var (rate, noise, count) = (samplingRate ?? 0, noiseMultiplier ?? 0, steps ?? 0)
        let found: String
        if noiseMultiplier == nil {
            noise = try Calibration.noiseMultiplier(
                epsilon: epsilon, delta: delta, samplingRate: rate, steps: count,
                accountant: accountant)
            found = "\"noise_multiplier\":\(PrivacyBatch.number(noise))"
        } else if steps == nil {
            count = try Calibration.steps(
                epsilon: epsilon, delta: delta, samplingRate: rate, noiseMultiplier: noise,
                accountant: accountant)
            found = "\"steps\":\(count)"
        } else {
            rate = try Calibration.samplingRate(
                epsilon: epsilon, delta: delta, noiseMultiplier: noise, steps: count,
                accountant: accountant)
            found = "\"sampling_rate\":\(PrivacyBatch.number(rate))"
        }
        guard
            let phase = try? PrivacyPhase(
                samplingRate: rate, noiseMultiplier: noise, steps: count)
        else { throw .invalidTarget }
        return (phase, found)
    }
}
