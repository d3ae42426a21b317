import AegisPrivacy
import Foundation
import Testing

/// A small part of what `benchmarks/privacy/fuzz.py` asks.
@Suite("Questions that nobody should ask, at random")
struct NastyQuestionTests {
    private struct Draw {
        var generator: TestGenerator

        mutating func log(_ range: ClosedRange<Double>) -> Double {
            let logs = Foundation.log(range.lowerBound)...Foundation.log(range.upperBound)
            return min(range.upperBound, exp(Double.random(in: logs, using: &generator)))
        }

        mutating func phase() throws -> PrivacyPhase {
            let noise = Bool.random(using: &generator) ? log(0.3...30) : log(1e-3...1e5)
            return try PrivacyPhase(
                samplingRate: log(1e-12...1), noiseMultiplier: noise, steps: Int(log(1...1e9)))
        }
    }

    @Test("bounds never cross, the best is the least, and δ undoes ε", arguments: 1...24)
    func bounds(seed: Int) throws {
        var draw = Draw(generator: TestGenerator(state: UInt64(seed)))
        let count = seed % 4 == 0 ? 3 : 1
        let phases = try (0..<count).map { _ in try draw.phase() }
        let delta = draw.log(1e-30...0.5)
        func epsilon(_ kind: AccountantKind) -> Double {
            PrivacyAccountant(phases, kind).epsilon(atDelta: delta)
        }
        let (rdp, best) = (epsilon(.rdp), epsilon(.best))
        let lower = PrivacyAccountant(phases).epsilonLower(atDelta: delta)
        #expect(best <= min(rdp, epsilon(.pld)) && best >= 0, "\(phases) \(delta)")
        #expect(lower <= best && lower >= 0, "\(phases) \(delta)")
        guard best > 0, best.isFinite else { return }
        let upper = PrivacyAccountant(phases).delta(atEpsilon: best)
        // The δ of a query for δ rests on another lattice; far below 1e-20 both are coarser.
        #expect(upper <= delta * (delta < 1e-20 ? 2 : 1.03), "\(phases) \(delta): \(upper)")
        guard lower > 0 else { return }
        let least = PrivacyAccountant(phases).delta(atEpsilon: lower)
        #expect(least >= delta * (1 - 1e-9), "\(phases) \(delta): \(least)")
    }

    @Test(
        "δ of rare draws is as small as its ε says",
        arguments: [
            (1.1816252160659972e-08, 24.75838215628823, 5_914, 1.735826743246345e-11),
            (4.015345436783036e-08, 7.199471649296518, 6_117, 4.518352135421318e-21),
        ])
    func rareDraws(rate: Double, noise: Double, steps: Int, delta: Double) throws {
        let accountant = PrivacyAccountant([
            try PrivacyPhase(samplingRate: rate, noiseMultiplier: noise, steps: steps)
        ])
        let found = accountant.delta(atEpsilon: accountant.epsilon(atDelta: delta))
        #expect(found >= delta * 0.97 && found <= delta * 1.03)
    }

    @Test("where rounding takes a point of the lattice for the least loss there is, it goes on")
    func leastLoss() throws {
        let phases = try [
            (0.0001594485205268754, 591.3361426944756, 12_879_560),
            (6.299434524388969e-10, 2.695669546713865, 922),
            (0.9999999999999912, 0.10282105778946701, 2),
            (6.2565424536346434e-12, 60_130.33671843146, 123_129_069),
            (1.966406013953478e-07, 0.7448598020016383, 5_053),
        ].map { try PrivacyPhase(samplingRate: $0, noiseMultiplier: $1, steps: $2) }
        let accountant = PrivacyAccountant(phases)
        let delta = 1.3942783265848532e-20
        let (lower, upper) = (
            accountant.epsilonLower(atDelta: delta), accountant.epsilon(atDelta: delta)
        )
        // The third phase alone costs as much.
        #expect(lower > 220 && lower <= upper && upper < 224)
    }

    @Test(
        "what is found costs at most the target and 0.1 % less, or it says why", arguments: 1...12)
    func calibration(seed: Int) throws {
        var draw = Draw(generator: TestGenerator(state: UInt64(100 + seed)))
        let (epsilon, delta) = (draw.log(0.01...30), draw.log(1e-12...1e-2))
        let (rate, steps) = (draw.log(1e-9...1), Int(draw.log(1...1e9)))
        do throws(CalibrationError) {
            let noise = try Calibration.noiseMultiplier(
                epsilon: epsilon, delta: delta, samplingRate: rate, steps: steps)
            guard noise > 1e-6 else { return }
            let phase = try? PrivacyPhase(
                samplingRate: rate, noiseMultiplier: noise, steps: steps)
            let cost = PrivacyAccountant([phase].compactMap(\.self)).epsilon(atDelta: delta)
            #expect(
                cost <= epsilon && cost >= 0.999 * epsilon, "\(epsilon) \(delta) \(rate) \(steps)")
        } catch {
            switch error {
            case .invalidTarget: Issue.record("\(epsilon) \(delta) is a target")
            case .unreachable(let least): #expect(least > epsilon)
            case .jumps(let nearest, _): #expect(nearest <= epsilon)
            }
        }
    }
}
