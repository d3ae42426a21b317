import AegisSimulation
import ArgumentParser
import Foundation
import Yams

/// The files of scenarios, one each.
struct ScenarioFolder {
    let path: String

    func all() throws -> [Scenario] {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            throw ValidationError("no scenarios in \(path): give their folder with --scenarios")
        }
        return try names.filter { $0.hasSuffix(".yaml") }.sorted()
            .map { try scenario(String($0.dropLast(".yaml".count))) }
    }

    func scenario(_ name: String) throws -> Scenario {
        let file = "\(path)/\(name).yaml"
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw ValidationError("no scenario \(name) in \(path); --list shows them")
        }
        do { return try YAMLDecoder().decode(Scenario.self, from: text) } catch {
            throw ValidationError("\(file): \(error)")
        }
    }
}
