import ArgumentParser
import Foundation
import Testing
import aegis

@Suite("Learning on this machine, by its exit codes and files")
struct LearningCommandTests {
    private let folder: String

    init() throws {
        folder =
            FileManager.default.temporaryDirectory.path + "/aegis-learning-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        var rows = "x,y,kind\n"
        for index in 0..<400 {
            let x = Double(index % 20) / 20
            rows += "\(x),\(index % 7),\(x > 0.5 ? "high" : "low")\n"
        }
        try write("data.csv", rows)
        try write(
            "data.yaml",
            """
            name: kinds
            source: {format: csv, path: data.csv}
            columns:
              - {name: x, type: number, min: 0, max: 1}
              - {name: y, type: number, min: 0, max: 6}
            target: {column: kind, values: [low, high]}
            split: {test: 0.25}
            """)
    }

    private func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
    }

    private func exists(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: "\(folder)/\(name)")
    }

    private func train(_ more: [String], data: String = "data.yaml") async -> Int32 {
        await Program.run(
            [
                "train", "--dataset", "\(folder)/\(data)", "--output", "json", "--epochs", "3",
                "--batch-size", "50",
            ] + more)
    }

    private static let plain = ["--model", "softmax", "--learning-rate", "1", "--no-privacy"]

    @Test("a model is saved once, measured, gone on from, and never written over in silence")
    func saved() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let save = ["--save", "\(folder)/m.safetensors"]
        #expect(await train(Self.plain + save) == 0)
        let first = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/m.safetensors"))
        #expect(await train(Self.plain + save) == 73)
        #expect(
            try Data(contentsOf: URL(fileURLWithPath: "\(folder)/m.safetensors")) == first)
        #expect(await train(Self.plain + save + ["--overwrite"]) == 0)
        #expect(
            await train(Self.plain + ["--from", "\(folder)/m.safetensors"]) == 0)
        for more in [[], ["--nodes", "3"], ["--against", "\(folder)/m.safetensors"]] {
            #expect(
                await Program.run(
                    [
                        "evaluate", "--model", "\(folder)/m.safetensors", "--dataset",
                        "\(folder)/data.yaml", "--output", "json",
                    ] + more) == 0)
        }
        #expect(
            await Program.run(
                [
                    "baseline", "--nodes", "2", "--together", "\(folder)/m.safetensors",
                    "--dataset", "\(folder)/data.yaml", "--epochs", "1", "--batch-size", "20",
                    "--output", "json",
                ] + Self.plain) == 0)
    }

    @Test("private training, by ε and by σ")
    func privately() async {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let model = ["--model", "mlp", "--learning-rate", "0.5", "--clip", "1"]
        #expect(await train(model + ["--epsilon", "3", "--deterministic"]) == 0)
        #expect(await train(model + ["--noise-multiplier", "2", "--threads", "2"]) == 0)
        let adaptive = ["--clipping", "adaptive", "--noise-multiplier", "2"]
        #expect(await train(model + adaptive + ["--count-noise", "2"]) == 0)
        #expect(await train(model + adaptive + ["--count-noise", "0.9"]) == 65)
        #expect(await train(model + adaptive + ["--quantile", "1"]) == 64)
        // No clip, two answers, none, a budget that can't be.
        #expect(await train(["--model", "mlp", "--learning-rate", "1", "--epsilon", "3"]) == 64)
        #expect(await train(model + ["--epsilon", "3", "--no-privacy"]) == 64)
        #expect(await train(model) == 64)
        #expect(await train(model + ["--epsilon", "0"]) == 65)
    }

    @Test("bad input has an exit code, and nothing is written")
    func badInput() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let save = ["--save", "\(folder)/n.safetensors"]
        #expect(await train(Self.plain + save, data: "none.yaml") == 66)
        let diverging = ["--model", "softmax", "--learning-rate", "1e30", "--no-privacy"]
        #expect(await train(diverging + save) == 65)
        #expect(await train(Self.plain + ["--save", "/nowhere/at/all"]) == 73)
        #expect(
            await train(["--model", "cnn", "--learning-rate", "1", "--no-privacy"] + save) == 65)
        #expect(
            await train(["--model", "gpt", "--learning-rate", "1", "--no-privacy"] + save) == 64)
        let csv = try String(contentsOfFile: "\(folder)/data.csv", encoding: .utf8)
        try write("data.csv", csv + "nan,1,low\n1,2\n1,2,middle\n")
        #expect(await train(Self.plain + save) == 65)
        #expect(await Program.run(["data", "inspect", "\(folder)/data.yaml"]) == 65)
        try write(
            "norm.yaml", "name: n\nlayers: [{type: batch-norm}, {type: dense, outputs: 2}]")
        #expect(
            await train(
                ["--model", "\(folder)/norm.yaml", "--learning-rate", "1", "--no-privacy"] + save)
                == 65)
        #expect(!exists("n.safetensors"))
    }

    /// A bad input, what is said of it, and the exit code.
    struct Bad: Sendable, CustomTestStringConvertible {
        let what: String
        var rows = ""
        var file = "bad.csv"
        var model = "softmax"
        var target = "kind"
        var rate = "1"
        let code: aegis.ExitCode
        let says: [String]

        var testDescription: String { what }
    }

    private static let bad = [
        Bad(what: "missing file", file: "gone.csv", code: .notFound, says: ["gone.csv"]),
        Bad(
            what: "truncated gzip", file: "cut.csv.gz", code: .invalidInput,
            says: ["cut.csv.gz is cut off"]),
        Bad(
            what: "wrong column count", rows: "1,2\n", code: .invalidInput,
            says: ["row 401 (line 402): 2 fields, the heading has 3"]),
        Bad(
            what: "NaN feature", rows: "1,2,low\nnan,2,low\n", code: .invalidInput,
            says: ["row 402 (line 403), column x: nan is not a finite number"]),
        Bad(
            what: "unknown label", rows: "1,2,middle\n", code: .invalidInput,
            says: ["row 401 (line 402), column kind: middle"]),
        Bad(
            what: "target not in schema", target: "colour", code: .invalidInput,
            says: ["no column colour", "x, y, kind"]),
        Bad(
            what: "model that does not fit", model: "cnn", code: .invalidInput,
            says: ["layer 0", "vector(2)"]),
        Bad(
            what: "diverging learning rate", model: "mlp", rate: "1e30", code: .invalidInput,
            says: ["diverged at step", "lower the learning rate"]),
    ]

    @Test("bad input is named with its place, and nothing is written", arguments: bad)
    func complaints(bad: Bad) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let rows = try String(contentsOfFile: "\(folder)/data.csv", encoding: .utf8)
        try write("bad.csv", rows + bad.rows)
        // The first bytes of a gzip stream, and no more.
        try Data([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab]).write(
            to: URL(fileURLWithPath: "\(folder)/cut.csv.gz"))
        let declaration = try String(contentsOfFile: "\(folder)/data.yaml", encoding: .utf8)
        try write(
            "bad.yaml",
            declaration.replacing("data.csv", with: bad.file)
                .replacing("column: kind", with: "column: \(bad.target)"))
        let failure = #expect(throws: Failure.self) {
            try TrainCommand.parse(
                [
                    "--dataset", "\(folder)/bad.yaml", "--model", bad.model, "--epochs", "2",
                    "--batch-size", "50", "--learning-rate", bad.rate, "--no-privacy",
                    "--output", "json", "--save", "\(folder)/n.safetensors",
                ]
            ).run()
        }
        #expect(failure?.code == bad.code)
        for words in bad.says { #expect(failure?.text.contains(words) == true) }
        #expect(!exists("n.safetensors"))
        let left = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(!left.contains { $0.contains("partial") })
    }

    @Test("a data set is inspected")
    func inspected() async {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for output in ["text", "json"] {
            #expect(
                await Program.run(
                    ["data", "inspect", "\(folder)/data.yaml", "--output", output]) == 0)
        }
    }
}
