import Testing

/// The records of other libraries in Fixtures/dp-mechanisms.json: audits and correlated noise.
struct MechanismVectors: Decodable {
    struct Toeplitz: Decodable, Sendable, CustomTestStringConvertible {
        let id: String
        let steps: Int
        let bands: Int
        let participations: Int
        let strategy: [Double]
        let noising: [Double]
        let single: Double
        let separated: Double
        let maximum: Double
        let mean: Double
        var testDescription: String { id }
    }
    struct OneRun: Decodable, Sendable {
        let id: String
        let canaries: Int
        let guesses: Int
        let correct: Int
        let significance: Double
        let delta: Double
        let epsilon: Double
        let p1: Double
        /// By Mahloujifar et al. 2024, of the Gaussian trade-off.
        let gaussian: Double?
    }
    struct Scores: Decodable, Sendable, CustomTestStringConvertible {
        let id: String
        let inScores: [Double]
        let outScores: [Double]
        let auroc: Double
        let clopperPearson0: Double
        let clopperPearson5: Double
        let oneRun5: Double
        var testDescription: String { id }
    }
    struct ClopperPearson: Decodable, Sendable {
        let id: String
        let inCount: Int
        let outCount: Int
        let truePositives: Int
        let falsePositives: Int
        let alpha: Double
        let tprLower: Double
        let fprUpper: Double
        let epsilon: Double
    }
    let toeplitz: [Toeplitz]
    let oneRun: [OneRun]
    let scores: [Scores]
    let clopperPearson: [ClopperPearson]

    static func load() throws -> MechanismVectors { try Fixture.load("dp-mechanisms") }
}
