import AegisPrivacy
import Foundation
import Testing

@Suite("Accounting by the privacy loss distribution")
struct PrivacyAccountantTests {
    private func accountant(
        _ phases: [[Double]], _ kind: AccountantKind = .best
    ) throws -> PrivacyAccountant {
        PrivacyAccountant(try phases.map { try PrivacyPhase($0) }, kind)
    }

    @Test(
        "epsilon is above every sound lower bound and within 0.5 % of the tightest upper one",
        arguments: ["gaussian", "heterogeneous", "stepwise", "extreme", "poisson_gaussian"])
    func vectors(kind: String) throws {
        let rows = try LossVectors.load().epsilons.filter { $0.kind == kind }
        #expect(rows.count >= 19)
        for row in rows {
            let epsilon = try accountant(row.phases, .pld).epsilon(atDelta: row.delta)
            #expect(epsilon >= row.lower.value, "\(row.id) δ \(row.delta): \(epsilon)")
            #expect(
                epsilon <= row.upper.value * 1.005 + 1e-3,
                "\(row.id) δ \(row.delta): \(epsilon) above \(row.upper.value)")
        }
    }

    @Test("without sampling epsilon is the exact one to 1e-9, down to δ = 1e-30")
    func gaussian() throws {
        for row in try LossVectors.load().epsilons {
            guard let exact = row.exact?.value, exact.isFinite,
                row.phases.allSatisfy({ $0[0] == 1 })
            else { continue }
            let epsilon = try accountant(row.phases).epsilon(atDelta: row.delta)
            #expect(epsilon >= exact && epsilon <= exact * (1 + 1e-9), "\(row.id)")
        }
    }

    @Test("one sampled step costs the exact epsilon to 0.01 %, and the lower bound is below it")
    func oneStep() throws {
        var compared = 0
        for row in try LossVectors.load().epsilons {
            guard let exact = row.exact?.value, exact.isFinite, row.phases.count == 1,
                row.phases[0][0] < 1, row.phases[0][2] == 1
            else { continue }
            let accountant = try accountant(row.phases)
            let epsilon = accountant.epsilon(atDelta: row.delta)
            #expect(epsilon <= exact * 1.0002 + 1e-9, "\(row.id) δ \(row.delta): \(epsilon)")
            #expect(accountant.epsilonLower(atDelta: row.delta) <= exact, "\(row.id)")
            compared += 1
        }
        #expect(compared > 60)
    }

    @Test("the lower bound is never above the upper one nor above anybody's, and mostly close")
    func lowerBounds() throws {
        var gaps: [Double] = []
        let rows = try LossVectors.load().epsilons.filter { $0.phases[0][0] < 1 }
        for (index, row) in rows.enumerated() where index % 8 == 0 {
            let accountant = try accountant(row.phases)
            let epsilon = accountant.epsilon(atDelta: row.delta)
            let lower = accountant.epsilonLower(atDelta: row.delta)
            #expect(lower <= epsilon, "\(row.id)")
            #expect(lower <= row.upper.value * (1 + 1e-9), "\(row.id) δ \(row.delta): \(lower)")
            if epsilon > 0, epsilon.isFinite { gaps.append(1 - lower / epsilon) }
        }
        gaps.sort()
        #expect(gaps[gaps.count / 2] < 5e-4 && gaps[gaps.count * 9 / 10] < 2e-3)
    }

    @Test(
        "the lower bound is close at small rates too, where rare draws decide",
        arguments: [
            [0.001, 0.7, 1e4, 1e-5, 0.001], [1e-4, 0.6, 6e4, 1e-6, 0.01],
            [1e-6, 0.5, 1e6, 1e-9, 0.02], [1e-12, 0.01, 1e9, 1e-5, 0.001],
        ])
    func rareDraws(_ row: [Double]) throws {
        let accountant = try accountant([Array(row[..<3])])
        let epsilon = accountant.epsilon(atDelta: row[3])
        let lower = accountant.epsilonLower(atDelta: row[3])
        #expect(lower <= epsilon && lower > epsilon * (1 - row[4]), "\(lower) \(epsilon)")
    }

    @Test("a thousand million draws at a rate of 1e-9 have their epsilon at δ = 1e-30")
    func rarestDraws() throws {
        // By Rényi divergences these are 3.98 and 3.29.
        let costly = try accountant([[1e-9, 0.65, 1e9]]).epsilon(atDelta: 1e-30)
        let cheap = try accountant([[1e-9, 0.71, 1e9]]).epsilon(atDelta: 1e-30)
        #expect(costly < 0.8 && cheap < 0.25 && cheap > 0.05 && costly > cheap)
    }

    @Test("delta at an epsilon is the peers' to 0.5 %, or below them where they cut the tail")
    func deltas() throws {
        for row in try LossVectors.load().deltas {
            let delta = try accountant(row.phases).delta(atEpsilon: row.epsilon)
            #expect(delta <= min(row.pld * 1.005, row.rdp * (1 + 1e-9)), "\(row.id) \(row.epsilon)")
            // Below 1e-13 the other's lower bound is its rounding.
            if row.lower > 1e-13, row.lower <= row.rdp { #expect(delta >= row.lower, "\(row.id)") }
        }
    }

    @Test("delta at the epsilon of a delta is that delta")
    func inverse() throws {
        for (phases, delta) in [
            ([[0.01, 1, 10_000]], 1e-5), ([[0.5, 4, 100]], 1e-8), ([[1, 2, 3]], 1e-12),
            ([[0.01, 1, 1_000], [0.05, 3, 10], [1, 20, 4]], 1e-6),
        ] {
            let accountant = try accountant(phases)
            let epsilon = accountant.epsilon(atDelta: delta)
            let back = accountant.delta(atEpsilon: epsilon)
            #expect(abs(back / delta - 1) < 2e-3, "\(phases): \(back)")
        }
    }

    @Test("known answers: q = 0.01, σ = 1, 10,000 steps, δ = 1e-5")
    func knownAnswer() throws {
        let whole = try accountant([[0.01, 1, 10_000]])
        #expect(abs(whole.epsilon(atDelta: 1e-5) / 6.18774 - 1) < 1e-4)
        #expect(whole.epsilonLower(atDelta: 1e-5) > 6.1804)
        #expect(whole.bound(atDelta: 1e-5).by == .pld)
        let rdp = try accountant([[0.01, 1, 10_000]], .rdp)
        #expect(abs(rdp.epsilon(atDelta: 1e-5) / 6.71274 - 1) < 1e-4)
    }

    @Test("the order of phases and how they are cut into charges changes no bit")
    func order() throws {
        let forwards = try accountant([[0.01, 1, 100], [0.02, 2, 50], [1, 30, 2]])
        let backwards = try accountant([[1, 30, 2], [0.02, 2, 50], [0.01, 1, 100]])
        #expect(forwards.epsilon(atDelta: 1e-6) == backwards.epsilon(atDelta: 1e-6))
        var pieces = PrivacyAccountant()
        for _ in 0..<10 { pieces.compose(try PrivacyPhase([0.05, 1.1, 30])) }
        let whole = try accountant([[0.05, 1.1, 300]])
        #expect(pieces.epsilon(atDelta: 1e-5) == whole.epsilon(atDelta: 1e-5))
        #expect(pieces.phases.count == 1)
    }

    @Test("nothing costs nothing, no noise costs everything, δ = 1 is free and δ = 0 is not")
    func extremes() throws {
        #expect(PrivacyAccountant().epsilon(atDelta: 1e-5) == 0)
        #expect(try accountant([[0.3, 1, 0]]).epsilon(atDelta: 1e-5) == 0)
        #expect(try accountant([[0, 1, 9]]).delta(atEpsilon: 0) == 0)
        #expect(try accountant([[0.3, 0, 1]]).epsilon(atDelta: 1e-5) == .infinity)
        #expect(try accountant([[0.3, 0, 1]]).epsilonLower(atDelta: 1e-5) == .infinity)
        #expect(try accountant([[0.3, 1, 1]]).epsilon(atDelta: 0) == .infinity)
        #expect(try accountant([[0.3, 1, 1]]).epsilon(atDelta: 1) == 0)
        // Less than δ of the records are ever drawn.
        #expect(try accountant([[1e-9, 1e-9, 1_000]]).epsilon(atDelta: 1e-5) == 0)
        #expect(throws: AccountingError.self) { try PrivacyPhase([1.5, 1, 1]) }
        #expect(throws: AccountingError.self) { try PrivacyPhase([.nan, 1, 1]) }
        #expect(throws: AccountingError.self) { try PrivacyPhase([0.5, -1, 1]) }
        #expect(throws: AccountingError.self) { try PrivacyPhase([0.5, .infinity, 1]) }
        #expect(throws: AccountingError.self) { try PrivacyPhase([0.5, 1, -1]) }
    }

    @Test("the wildest mechanisms have a finite answer, and more steps never cost less")
    func wild() throws {
        for q in [1e-8, 1e-3, 0.5, 0.999_999] {
            for sigma in [1e-9, 1e-3, 0.05, 1, 1e6] {
                var last = 0.0
                for steps in [1.0, 1e4, 1e9] {
                    let epsilon = try accountant([[q, sigma, steps]]).epsilon(atDelta: 1e-6)
                    #expect(epsilon.isFinite && epsilon >= 0, "\(q) \(sigma) \(steps)")
                    #expect(epsilon >= last * 0.999, "\(q) \(sigma) \(steps)")
                    last = epsilon
                }
            }
        }
    }

    @Test("many mechanisms are taken together to the costlier side, and cost little more")
    func merging() throws {
        let phases = (0..<1_000).map { [0.01, 1 + Double($0) * 1e-4, 10] }
        let merged = try accountant(phases)
        let most = try accountant([[0.01, 1, 10_000]])
        let least = try accountant([[0.01, 1.0999, 10_000]])
        let epsilon = merged.epsilon(atDelta: 1e-5)
        #expect(epsilon < most.epsilon(atDelta: 1e-5))
        #expect(epsilon > least.epsilon(atDelta: 1e-5))
        #expect(merged.epsilonLower(atDelta: 1e-5) <= epsilon)
        #expect(merged.epsilonLower(atDelta: 1e-5) > epsilon * 0.99)
    }

    @Test("the curve over steps is what the accountant says at each of them")
    func curve() throws {
        let phase = try PrivacyPhase([0.01, 1, 1])
        var curve = EpsilonCurve(of: phase, delta: 1e-5)
        for steps in 1...120 {
            let next = curve.next()
            guard [1, 2, 3, 17, 60, 120].contains(steps) else { continue }
            let whole = try accountant([[0.01, 1, Double(steps)]]).epsilon(atDelta: 1e-5)
            #expect(abs(next / whole - 1) < 1e-3, "\(steps): \(next) vs \(whole)")
        }
        var after = EpsilonCurve(of: phase, after: [try PrivacyPhase([0.05, 2, 40])], delta: 1e-5)
        let both = try accountant([[0.05, 2, 40], [0.01, 1, 500]]).epsilon(atDelta: 1e-5)
        #expect(abs(after.epsilon(afterSteps: 500) / both - 1) < 1e-3)
    }
}

@Suite("Calibration by the privacy loss distribution")
struct LossCalibrationTests {
    @Test("noise is within 0.5 % of the peers', its epsilon within 0.1 % below the target")
    func noise() throws {
        for row in try LossVectors.load().calibrations {
            let sigma = try Calibration.noiseMultiplier(
                epsilon: row.epsilon, delta: row.delta, samplingRate: row.q, steps: row.steps,
                accountant: .best)
            #expect(abs(sigma / row.sigma - 1) < 0.005, "\(row.id): \(sigma)")
            let phase = try PrivacyPhase([row.q, sigma, Double(row.steps)])
            let epsilon = PrivacyAccountant([phase]).epsilon(atDelta: row.delta)
            #expect(epsilon <= row.epsilon && epsilon >= row.epsilon * 0.999, "\(row.id)")
        }
    }

    @Test("steps and sampling rate are the largest that meet the target")
    func others() throws {
        let steps = try Calibration.steps(
            epsilon: 3, delta: 1e-5, samplingRate: 0.01, noiseMultiplier: 1.565)
        let spent = PrivacyAccountant([try PrivacyPhase([0.01, 1.565, Double(steps)])])
        #expect(spent.epsilon(atDelta: 1e-5) <= 3)
        #expect(spent.epsilon(atDelta: 1e-5) > 3 * 0.999)
        let rate = try Calibration.samplingRate(
            epsilon: 3, delta: 1e-5, noiseMultiplier: 1.565, steps: 10_000)
        let drawn = PrivacyAccountant([try PrivacyPhase([rate, 1.565, 10_000])])
        #expect(drawn.epsilon(atDelta: 1e-5) <= 3)
        #expect(drawn.epsilon(atDelta: 1e-5) > 3 * 0.999)
        let none = try Calibration.steps(
            epsilon: 0.01, delta: 1e-9, samplingRate: 1, noiseMultiplier: 1)
        #expect(none == 0)
        let all = try Calibration.samplingRate(
            epsilon: 100, delta: 1e-5, noiseMultiplier: 5, steps: 1)
        #expect(all == 1)
    }

    @Test("what cannot be meant is refused")
    func refused() {
        for (epsilon, delta) in [(0, 1e-5), (-1, 1e-5), (.nan, 1e-5), (1, 0), (1, 1), (1, .nan)] {
            #expect(throws: CalibrationError.invalidTarget) {
                try Calibration.noiseMultiplier(
                    epsilon: epsilon, delta: delta, samplingRate: 0.1, steps: 10,
                    accountant: .best)
            }
        }
        #expect(throws: CalibrationError.invalidTarget) {
            try Calibration.samplingRate(
                epsilon: 1, delta: 1e-5, noiseMultiplier: .infinity, steps: 1)
        }
    }
}
