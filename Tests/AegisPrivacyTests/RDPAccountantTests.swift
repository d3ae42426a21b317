import AegisPrivacy
import Glibc
import Testing

@Suite("Rényi accounting of the sampled Gaussian (Mironov, Talwar and Zhang 2019)")
struct RDPAccountantTests {
    private func accountant(
        _ phases: [[Double]], orders: [Double] = RDPAccountant.defaultOrders
    ) throws -> RDPAccountant {
        var accountant = RDPAccountant(orders: orders)
        for phase in phases {
            let sampler = try #require(
                PoissonSampler(
                    samplingRate: phase[0], noiseMultiplier: phase[1], recordCount: 1))
            accountant.compose(sampler.event(afterSteps: Int(phase[2])))
        }
        return accountant
    }

    @Test("one step's divergence is the 40-digit value to 1e-9, at whole and fractional orders")
    func curves() throws {
        let curves = try ReferenceVectors.load().curves
        #expect(curves.count == 43)
        for curve in curves {
            let ours = try accountant([[curve.q, curve.sigma, 1]], orders: curve.orders).curve
            for (index, exact) in curve.exact.enumerated() {
                #expect(
                    abs(ours[index] - exact) <= 1e-9 * exact,
                    "\(curve.id) order \(curve.orders[index]): \(ours[index]) vs \(exact)")
            }
        }
    }

    @Test("Gaussian mechanism: ε(α) = α / 2σ² (Mironov 2017, Proposition 7)")
    func gaussian() throws {
        let ours = try accountant([[1, 2, 3]], orders: [1.5, 2, 64])
        #expect(ours.curve == [0.5625, 0.75, 24])
    }

    @Test("with Opacus' orders, ε is what Opacus computes to 3e-5, the error of its own series")
    func peers() throws {
        let tenths = (11..<110).map { Double($0) / 10 }
        let opacusOrders = tenths + (12..<64).map { Double($0) }
        for row in try ReferenceVectors.load().compositions {
            guard let opacus = row.opacus, opacus > 0, row.phases[0][2] > 0 else { continue }
            // Opacus reports no zero: its floor at few orders is not a bound of ours.
            let ours = try accountant(row.phases, orders: opacusOrders).epsilon(
                delta: row.delta)
            // Opacus truncates its series at fractional orders: up to 3e-5 either way.
            if ours > 0 {
                #expect(abs(ours - opacus) <= 3e-5 * opacus + 1e-9, "\(row.id) δ \(row.delta)")
            }
        }
    }

    @Test("with our orders, ε is never below a sound lower bound nor above either peer's RDP")
    func bounds() throws {
        let rows = try ReferenceVectors.load().compositions
        #expect(rows.count > 250)
        for row in rows {
            let ours = try accountant(row.phases).epsilon(delta: row.delta)
            #expect(ours >= (row.exact ?? row.lower ?? 0), "\(row.id) δ \(row.delta)")
            #expect(ours >= 0)
            for peer in [row.opacus, row.dp_accounting] {
                guard let peer, peer >= 0 else { continue }
                #expect(ours <= peer * (1 + 1e-6) + 1e-12, "\(row.id) δ \(row.delta): \(ours)")
            }
        }
    }

    @Test("known answer: q = 0.01, σ = 1, 10,000 steps, δ = 1e-5 costs ε = 6.71274")
    func knownAnswer() throws {
        let ours = try accountant([[0.01, 1, 10_000]]).epsilon(delta: 1e-5)
        #expect(abs(ours - 6.71274) < 1e-4)
    }

    @Test("extremes: nothing costs nothing, no noise costs everything, δ = 1 is free")
    func extremes() throws {
        #expect(RDPAccountant().epsilon(delta: 1e-5) == 0)
        #expect(try accountant([[0, 1, 1000]]).epsilon(delta: 1e-5) == 0)
        #expect(try accountant([[0.5, 0, 1]]).epsilon(delta: 1e-5) == .infinity)
        #expect(try accountant([[0.5, 1, 1]]).epsilon(delta: 0) == .infinity)
        #expect(try accountant([[0.5, 1, 1]]).epsilon(delta: 1) == 0)
        #expect(try accountant([[1, 1e6, 1]]).epsilon(delta: 1e-5) == 0)
        for noise in [0.001, 0.02, 0.05, 0.09, 0.11] {
            let tiny = try accountant([[0.01, noise, 1]]).epsilon(delta: 1e-5)
            #expect(tiny.isFinite && tiny > 50)
        }
    }

    @Test("ten charges of thirty steps cost to the last bit what one of three hundred does")
    func phases() throws {
        let parts = try accountant(Array(repeating: [0.05, 1.1, 30], count: 10))
        let whole = try accountant([[0.05, 1.1, 300]])
        #expect(parts.epsilon(delta: 1e-5) == whole.epsilon(delta: 1e-5))
    }

    @Test("a reconstructed event costs what it cost: fixed point rounds towards more ε")
    func fixedPoint() throws {
        let mechanism = try #require(
            SampledGaussian(samplingRate: 1.0 / 3, noiseMultiplier: 1.234567))
        #expect(mechanism.samplingRate >= 1.0 / 3)
        #expect(mechanism.noiseMultiplier == 1.234567)
        let rounded = try #require(
            SampledGaussian(samplingRate: 0.1, noiseMultiplier: 1.000_000_000_9))
        #expect(rounded.noiseMultiplier == 1)
        #expect(SampledGaussian(samplingRate: 1.1, noiseMultiplier: 1) == nil)
        #expect(SampledGaussian(samplingRate: .nan, noiseMultiplier: 1) == nil)
        #expect(SampledGaussian(samplingRate: 0.1, noiseMultiplier: -1) == nil)
    }
}

@Suite("Calibration")
struct CalibrationTests {
    @Test("σ meets the target, is at most 0.1 % below it, and is the peers' to 1e-4")
    func calibrated() throws {
        for row in try ReferenceVectors.load().calibrations {
            let sigma = try Calibration.noiseMultiplier(
                epsilon: row.epsilon, delta: row.delta, samplingRate: row.q, steps: row.steps,
                accountant: .rdp)
            let phase = try PrivacyPhase([row.q, sigma, Double(row.steps)])
            let epsilon = PrivacyAccountant([phase], .rdp).epsilon(atDelta: row.delta)
            #expect(epsilon <= row.epsilon)
            #expect(epsilon >= row.epsilon * 0.999, "\(row)")
            #expect(sigma <= row.sigma * 1.0001, "\(row) gives \(sigma)")
        }
    }

    @Test("next to no noise a divergence is the Gaussian's, less what the sampling hides")
    func nextToNoNoise() throws {
        for noise in [1e-3, 1e-8, 1e-60, 1e-116] {
            let phase = try PrivacyPhase(samplingRate: 1e-6, noiseMultiplier: noise, steps: 1)
            var last = 0.0
            for order in [1.1, 1.5, 2, 12.9, 64, 470_204.05] {
                let value = phase.renyiDivergence(order: order)
                let gaussian = order / 2 / noise / noise
                let hidden = order / (order - 1) * log(1e6)
                let rounding = gaussian * 1e-12
                #expect(value <= gaussian + rounding, "\(noise), \(order)")
                #expect(value >= gaussian - hidden * (1 + 1e-9) - rounding, "\(noise), \(order)")
                #expect(value >= last)
                last = value
            }
        }
    }

    @Test("targets that no noise can meet are refused")
    func refused() {
        #expect(throws: CalibrationError.invalidTarget) {
            try Calibration.noiseMultiplier(
                epsilon: 0, delta: 1e-5, samplingRate: 0.1, steps: 10)
        }
        #expect(throws: CalibrationError.invalidTarget) {
            try Calibration.noiseMultiplier(
                epsilon: 1, delta: 0, samplingRate: 0.1, steps: 10)
        }
        #expect(throws: CalibrationError.self) {
            try Calibration.noiseMultiplier(
                epsilon: 1e-3, delta: 1e-30, samplingRate: 1, steps: .max, accountant: .rdp)
        }
    }
}
