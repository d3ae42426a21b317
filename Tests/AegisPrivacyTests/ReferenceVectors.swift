import AegisCore

/// The excerpt of the reference vectors in Fixtures/dp-accounting.json.
struct ReferenceVectors: Decodable {
    struct Curve: Decodable, Sendable {
        let id: String
        let q: Double
        let sigma: Double
        let orders: [Double]
        let exact: [Double]
    }
    struct Composition: Decodable, Sendable {
        let id: String
        let phases: [[Double]]
        let delta: Double
        let opacus: Double?
        let dp_accounting: Double?
        let exact: Double?
        let lower: Double?
    }
    struct Calibrated: Decodable, Sendable {
        let q: Double
        let steps: Int
        let epsilon: Double
        let delta: Double
        let sigma: Double
    }
    let curves: [Curve]
    let compositions: [Composition]
    let calibrations: [Calibrated]

    static func load() throws -> ReferenceVectors { try Fixture.load("dp-accounting") }
}

/// SplitMix64: a fixed stream, so that statistical tests always judge the same draws.
struct TestGenerator: RandomBlockGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
