import AegisAPI
import ArgumentParser
import Foundation
import Testing
import aegis

@Suite("Arguments become requests") struct CommandTests {
    private func parse<Command: ParsableCommand>(
        _ arguments: [String], as type: Command.Type
    ) throws -> Command {
        let command = try Aegis.parseAsRoot(arguments)
        return try #require(command as? Command)
    }

    @Test("token create")
    func tokenCreate() throws {
        let command = try parse(
            ["token", "create", "--name", "north", "--expires", "30m"], as: TokenCreate.self)
        #expect(
            try command.request()
                == .post(
                    "/join-tokens",
                    .object(["name": "north", "expires_seconds": .integer(1_800)])))
        let wrong = try parse(
            ["token", "create", "--name", "north", "--expires", "soon"], as: TokenCreate.self)
        #expect(throws: Failure.self) { try wrong.request() }
    }

    @Test("token create for several, to watch, and to replace a lost key")
    func tokenKinds() throws {
        func body(_ arguments: String...) throws -> APIRequest {
            try parse(["token", "create"] + arguments, as: TokenCreate.self).request()
        }
        let hour = JSONValue.integer(3_600)
        #expect(
            try body("--uses", "5")
                == .post(
                    "/join-tokens", .object(["uses": .integer(5), "expires_seconds": hour])))
        #expect(
            try body("--name", "north", "--observer")
                == .post(
                    "/join-tokens",
                    .object(["name": "north", "kind": "observer", "expires_seconds": hour])))
        #expect(
            try body("--replaces", "north")
                == .post(
                    "/join-tokens",
                    .object(["name": "north", "kind": "replacement", "expires_seconds": hour])))
        for wrong in [
            [], ["--name", "north", "--uses", "2"], ["--replaces", "north", "--observer"],
        ] {
            #expect(throws: (any Error).self) {
                try parse(["token", "create"] + wrong, as: TokenCreate.self)
            }
        }
    }

    @Test("run stop, with a name that can't leave its path")
    func runStop() throws {
        let command = try parse(["run", "stop", "demo", "--reason", "no"], as: RunStop.self)
        #expect(
            try command.request() == .post("/runs/demo/stop", .object(["reason": "no"])))
        for name in ["../mesh", "a/b", "a?b", "", "A"] {
            let command = try parse(["run", "stop", name], as: RunStop.self)
            #expect(throws: Failure.self) { try command.request() }
        }
    }

    @Test("run submit sends the file as JSON, numbers as numbers")
    func runSubmit() throws {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("aegis-cli-\(UUID().uuidString).yaml").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(
            """
            # a run
            name: demo
            rounds: 10
            privacy: {epsilon: 3, delta: 1e-5, clip_norm: 1.5}
            quoted: "10"
            flag: true
            word: no
            list: [1, two, null]
            """.utf8
        ).write(to: URL(fileURLWithPath: path))
        let command = try parse(["run", "submit", path], as: RunSubmit.self)
        let expected: JSONValue = .object([
            "name": "demo", "rounds": .integer(10),
            "privacy": .object([
                "epsilon": .integer(3), "delta": .number(1e-5), "clip_norm": .number(1.5),
            ]),
            "quoted": "10", "flag": .bool(true), "word": "no",
            "list": .array([.integer(1), "two", .null]),
        ])
        #expect(try command.request() == .post("/runs", expected))
        let missing = try parse(["run", "submit", path + ".no"], as: RunSubmit.self)
        #expect(throws: Failure.self) { try missing.request() }
    }

    @Test("what is not YAML says so", arguments: ["a: [1", "a: 1\na: 2", "? [x]\n: 1", ""])
    func badYAML(text: String) {
        #expect(throws: Failure.self) { try YAMLDocument.parse(text, file: "run.yaml") }
    }

    @Test("a context is found by option or environment, its paths beside it")
    func context() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("aegis-cli-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("context.json").path
        try Data(
            #"{"url":"https://h:1/","ca":"ca.pem","certificate":"/c.pem","key":"k.pem"}"#.utf8
        ).write(to: URL(fileURLWithPath: path))
        for context in [
            try Context(path: path, environment: [:]),
            try Context(path: nil, environment: ["AEGIS_CONTEXT": path]),
        ] {
            #expect(context.url == "https://h:1")
            #expect(context.caFile == folder.path + "/ca.pem")
            #expect(context.certificateFile == "/c.pem")
        }
        #expect(throws: Failure.self) { try Context(path: nil, environment: [:]) }
        #expect(throws: Failure.self) { try Context(path: path + "x", environment: [:]) }
    }

    /// The command lines in a help text, without what a shell does with them.
    private func examples(in discussion: String) -> [[String]] {
        discussion.replacing("\\\n", with: " ").replacing("'", with: "\"").split(separator: "\n")
            .compactMap { line in
                var words = line.split(separator: " ").map(String.init)
                guard words.first == "aegis" else { return nil }
                words.removeFirst()
                if let pipe = words.firstIndex(where: { ["|", ">", "<", "#"].contains($0) }) {
                    words.removeSubrange(pipe...)
                }
                // Words in quotes are one word.
                var joined: [String] = []
                var isOpen = false
                for word in words {
                    if isOpen {
                        joined[joined.count - 1] += " " + word
                    } else {
                        joined.append(word)
                    }
                    if word.count(where: { $0 == "\"" }) % 2 == 1 { isOpen.toggle() }
                }
                return joined.map { $0.replacing("\"", with: "") }
            }
    }

    @Test("every command has an example in its help, and it is one that the command takes")
    func help() {
        func check(_ command: any ParsableCommand.Type) {
            let children = command.configuration.subcommands
            if children.isEmpty {
                #expect(command.configuration.discussion.contains("Example:"), "\(command)")
            }
            for example in examples(in: command.configuration.discussion) {
                #expect(throws: Never.self, "aegis \(example)") {
                    _ = try Aegis.parseAsRoot(example)
                }
            }
            for child in children { check(child) }
        }
        check(Aegis.self)
    }
}
