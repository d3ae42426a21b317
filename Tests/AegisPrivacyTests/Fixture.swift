import Foundation

/// What other libraries computed, in the folder Fixtures.
enum Fixture {
    static func load<Vectors: Decodable>(_ name: String) throws -> Vectors {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Fixtures/\(name).json")
        return try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: file))
    }
}
