import AegisAggregation
import AegisCore
import Foundation

/// The reference vectors in Fixtures/aggregation.json. Non-finite numbers are strings there.
struct Vectors: Decodable {
    struct Number: Decodable {
        let value: Double
        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let value = try? container.decode(Double.self) {
                self.value = value
            } else {
                let text = try container.decode(String.self)
                value = text == "NaN" ? .nan : text == "Infinity" ? .infinity : -.infinity
            }
        }
    }
    struct Parameters: Decodable {
        let f: Int?
        let m: Int?
        let beta: Double?
        let weights: [Double]?
        let nu: Double?
        let T: Int?
        let `init`: String?
        let tau: Double?
        let L: Int?
        let v0: [Double]?
        let root: [Double]?
        let idx: Int?
        let s: Int?
        let perm: [Int]?
    }
    /// A vector, or the matrix of a pre-step.
    struct Output: Decodable {
        let rows: [[Double]]
        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let rows = try? container.decode([[Double]].self) {
                self.rows = rows
            } else {
                rows = [try container.decode([Double].self)]
            }
        }
    }
    struct Result: Decodable {
        let output: Output
        let tol_abs: Double
        let index: Int?
        let selected: [Int]?
    }
    struct Expectation: Decodable {
        let rule: String
        let params: Parameters
        let output: Output?
        let tol_abs: Double?
        let index: Int?
        let selected: [Int]?
        let error: String?
        let rejected: [Int]?
        let after_rejection: Result?
    }
    struct Case: Decodable {
        let id: String
        let inputs: [[Number]]
        let expect: [Expectation]
    }
    let cases: [Case]

    static let all: [Case] = {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Fixtures/aggregation.json")
        guard let data = try? Data(contentsOf: file),
            let vectors = try? JSONDecoder().decode(Vectors.self, from: data)
        else { return [] }
        return vectors.cases
    }()
}

func testNode(_ index: Int) -> NodeID {
    guard let node = NodeID([UInt8(index)] + [UInt8](repeating: 0, count: 31)) else {
        preconditionFailure("32 bytes are a node id")
    }
    return node
}

func nodeUpdates(_ updates: [[Float]], weights: [Double]? = nil) -> [NodeUpdate] {
    updates.enumerated().map {
        NodeUpdate(node: testNode($0), weight: weights?[$0] ?? 1, values: $1)
    }
}

/// The same numbers for the same seed, in −1..<1.
func random(_ count: Int, seed: UInt64) -> [Float] {
    var state = seed
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-31
    }
}

/// FNV-1a over the bits.
func fingerprint(_ values: [Float]) -> UInt64 {
    values.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1.bitPattern)) &* 0x100_0000_01b3 }
}
