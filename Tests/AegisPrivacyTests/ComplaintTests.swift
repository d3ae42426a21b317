import AegisPrivacy
import Foundation
import Testing

@Suite("What users of other libraries complained about")
struct ComplaintTests {
    @Test("a test keeps each of the complaints from being made here", arguments: Complaint.all)
    func complaint(_ complaint: Complaint) throws {
        #expect(!complaint.tests.isEmpty, "\(complaint.text)")
        let tests = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent()
        for test in complaint.tests {
            let parts = test.split(separator: ": ", maxSplits: 1).map(String.init)
            let (file, name) = (parts[0] + ".swift", parts[1])
            let source = try String(contentsOf: tests.appending(path: file), encoding: .utf8)
            #expect(source.contains("\"\(name)"), "\(complaint.text): no test \(name) in \(file)")
        }
    }

    @Test("they are the twenty-seven that were collected")
    func complaints() {
        #expect(Complaint.all.map(\.number) == Array(1...27))
    }

    @Test("asking changes nothing, however often")
    func asking() throws {
        var accountant = PrivacyAccountant()
        accountant.compose(
            try PrivacyPhase(samplingRate: 0.02, noiseMultiplier: 1.2, steps: 300))
        let before = accountant
        let first = accountant.epsilon(atDelta: 1e-5)
        for _ in 0..<3 {
            _ = accountant.epsilonLower(atDelta: 1e-5)
            _ = accountant.delta(atEpsilon: 1)
            #expect(accountant.epsilon(atDelta: 1e-5) == first)
        }
        #expect(accountant == before && accountant.phases[0].steps == 300)
    }

    @Test(
        "calibration never exceeds its target, and wastes no noise, by each accountant",
        arguments: AccountantKind.allCases)
    func calibration(_ kind: AccountantKind) throws {
        for (epsilon, delta, rate, steps) in [
            (0.01, 1e-5, 0.01, 1_000), (0.2, 1e-5, 1.0, 100), (0.2, 1e-5, 0.1, 500),
            (20, 1e-6, 0.05, 10), (1e-3, 1e-9, 0.001, 10),
        ] {
            let sigma = try Calibration.noiseMultiplier(
                epsilon: epsilon, delta: delta, samplingRate: rate, steps: steps,
                accountant: kind)
            func cost(_ sigma: Double) throws -> Double {
                let phase = try PrivacyPhase(
                    samplingRate: rate, noiseMultiplier: sigma, steps: steps)
                return PrivacyAccountant([phase], kind).epsilon(atDelta: delta)
            }
            #expect(try cost(sigma) <= epsilon, "\(epsilon) \(rate)")
            #expect(try cost(sigma * 0.998) > epsilon, "\(epsilon) \(rate)")
        }
    }

    @Test("rates of exactly one and next to it are continuous", arguments: AccountantKind.allCases)
    func wholeSample(_ kind: AccountantKind) throws {
        func cost(_ rate: Double) throws -> Double {
            let phase = try PrivacyPhase(samplingRate: rate, noiseMultiplier: 2, steps: 20)
            return PrivacyAccountant([phase], kind).epsilon(atDelta: 1e-6)
        }
        let (whole, nearly) = (try cost(1), try cost(1 - 1e-12))
        #expect(whole.isFinite && abs(whole / nearly - 1) < 1e-3)
    }
}
