import AegisPrivacy

/// What other accountants and closed forms say, in Fixtures/privacy-loss.json.
struct LossVectors: Decodable {
    struct Epsilon: Decodable, Sendable {
        let kind: String
        let id: String
        let phases: [[Double]]
        let delta: Double
        /// The tightest sound bounds known.
        let upper: Bound
        let lower: Bound
        let exact: Bound?
    }
    struct Calibrated: Decodable, Sendable {
        let id: String
        let q: Double
        let steps: Int
        let epsilon: Double
        let delta: Double
        let sigma: Double
    }
    struct Delta: Decodable, Sendable {
        let id: String
        let phases: [[Double]]
        let epsilon: Double
        let pld: Double
        let rdp: Double
        let lower: Double
    }
    /// A number, or "inf".
    struct Bound: Decodable, Sendable {
        let value: Double
        init(from decoder: any Decoder) throws {
            let single = try decoder.singleValueContainer()
            value = (try? single.decode(Double.self)) ?? .infinity
        }
    }
    let epsilons: [Epsilon]
    let calibrations: [Calibrated]
    let deltas: [Delta]

    static func load() throws -> LossVectors { try Fixture.load("privacy-loss") }
}

extension PrivacyPhase {
    init(_ row: [Double]) throws {
        try self.init(samplingRate: row[0], noiseMultiplier: row[1], steps: Int(row[2]))
    }
}
