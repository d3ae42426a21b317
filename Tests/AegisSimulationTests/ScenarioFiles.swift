import AegisSimulation
import Foundation
import Testing
import Yams

/// The scenarios and golden transcripts in `simulations/`.
enum ScenarioFiles {
    static let folder = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "simulations")

    static var names: [String] {
        let files = try? FileManager.default.contentsOfDirectory(
            atPath: folder.appending(path: "scenarios").path())
        return (files ?? []).filter { $0.hasSuffix(".yaml") }.sorted()
            .map { String($0.dropLast(".yaml".count)) }
    }

    static func scenario(_ name: String) throws -> Scenario {
        let file = folder.appending(path: "scenarios/\(name).yaml")
        return try YAMLDecoder().decode(
            Scenario.self, from: String(contentsOf: file, encoding: .utf8))
    }

    /// Compares with a golden file; `AEGIS_RECORD=1` writes it.
    static func expect(_ lines: [String], equals name: String) throws {
        let file = folder.appending(path: "golden/\(name).txt")
        let text = lines.joined(separator: "\n") + "\n"
        if ProcessInfo.processInfo.environment["AEGIS_RECORD"] == "1" {
            try text.write(to: file, atomically: true, encoding: .utf8)
        }
        let golden = try String(contentsOf: file, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
        let actual = text.split(separator: "\n", omittingEmptySubsequences: false)
        let different = zip(golden, actual).first { $0 != $1 }
        #expect(
            golden == actual,
            "\(name) differs, first in \(different.map { "\($0.0) → \($0.1)" } ?? "its length")")
    }
}
