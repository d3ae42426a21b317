import AegisAPI
import ArgumentParser
import Foundation
import Testing
import aegis

@Suite("Commands of the control plane") struct ControlPlaneCommandTests {
    private struct Folder: ~Copyable {
        let url = FileManager.default.temporaryDirectory
            .appendingPathComponent("aegis-cli-\(UUID().uuidString)")

        init() throws {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        }

        func write(_ text: String, _ name: String) throws -> String {
            let path = url.appendingPathComponent(name)
            try Data(text.utf8).write(to: path)
            return path.path
        }

        deinit { try? FileManager.default.removeItem(at: url) }
    }

    private func parse<Command: ParsableCommand>(
        _ arguments: [String], as type: Command.Type
    ) throws -> Command {
        try #require(try Aegis.parseAsRoot(arguments) as? Command)
    }

    @Test("contexts are kept by name, the first is used until another is")
    func contexts() throws {
        let folder = try Folder()
        let environment = ["XDG_CONFIG_HOME": folder.url.path + "/config"]
        let book = ContextBook(environment: environment)
        #expect(throws: Failure.self) { try Context(path: nil, environment: environment) }
        for name in ["one", "two"] {
            let file = try folder.write(
                #"{"url":"https://\#(name):1","ca":"ca.pem","certificate":"c.pem","key":"k.pem"}"#,
                name + ".json")
            try book.add(name, file: file)
        }
        #expect(book.names == ["one", "two"])
        #expect(try Context(path: nil, environment: environment).url == "https://one:1")
        try book.use("two")
        let current = try Context(path: nil, environment: environment)
        #expect(current.url == "https://two:1")
        #expect(current.keyFile == folder.url.path + "/k.pem")
        #expect(try Context(path: "one", environment: environment).url == "https://one:1")
        #expect(throws: Failure.self) { try book.use("three") }
        #expect(throws: Failure.self) { try book.add("../x", file: "one.json") }
        try book.delete("two")
        #expect(book.current == nil)
    }

    @Test("an audit log is verified without an admin; what was altered is named")
    func audit() throws {
        let folder = try Folder()
        // Made with sha256sum, not with this program.
        let first =
            #"{"sequence":1,"time":"2026-03-01T09:30:00.000Z","actor":"ada","action":"POST /x","#
            + #""parameters":"sha256:00","outcome":"done","request":"r1","previous":"sha256:"#
            + String(repeating: "0", count: 64) + #"","digest":"sha256:"#
            + "DIGEST" + #""}"#
        let body = first.replacingOccurrences(of: #","digest":"sha256:DIGEST""#, with: "")
        let digest = try sha256sum(body)
        let line = first.replacingOccurrences(of: "DIGEST", with: digest)
        let good = try folder.write(line + "\n", "good.jsonl")
        let finding = try AuditVerify.verify([good], head: "sha256:" + digest)
        #expect(finding.intact)
        #expect(finding.records == 1)
        let bad = try folder.write(
            line.replacingOccurrences(of: "ada", with: "eve") + "\n", "bad.jsonl")
        #expect(try AuditVerify.verify([bad], head: nil).fault == "record 1 was changed")
        #expect(try !AuditVerify.verify([good], head: AuditChain.start).intact)
        #expect(throws: Failure.self) { try AuditVerify.verify([good + "x"], head: nil) }
    }

    private func sha256sum(_ text: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/sha256sum")
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        input.fileHandleForWriting.write(Data(text.utf8))
        try input.fileHandleForWriting.close()
        let answer = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: answer.prefix(64), as: UTF8.self)
    }

    @Test("YAML output reads back as the same document")
    func yaml() throws {
        let document: JSONValue = .object([
            "text": "yes: no", "number": .number(1e-5), "whole": .integer(3), "null": .null,
            "digits": "007", "flag": .bool(false), "word": "true", "empty": "",
            "list": .array([.integer(1), "two\nlines", .object(["a": "b"])]),
        ])
        let text = try Output.document(try AegisAPI.encodeDocument(document), .yaml)
        #expect(try YAMLDocument.parse(text, file: "x") == document)
    }

    @Test("tables fit 80 columns whatever is in them")
    func tables() {
        let long = String(repeating: "x", count: 64)
        let time = "2026-03-01T09:30:00.250Z"
        let digest = "sha256:" + String(repeating: "a", count: 64)
        let budget = BudgetView(
            participant: long, dataset: long, epsilon: 1, delta: 1e-5, budgetEpsilon: 3)
        let tables = [
            UserList.text([
                UserView(
                    name: long, role: "operator", disabled: true, createdAt: time, createdBy: long,
                    certificates: [
                        .init(
                            fingerprint: digest, serial: "1", issuedAt: time, issuedBy: long,
                            expiresAt: time, revoked: false)
                    ])
            ]),
            BudgetList.text([budget]),
            DatasetList.text([
                DatasetView(
                    name: long, state: .registered, description: long, holders: [budget])
            ]),
            AuditList.text([
                AuditView(
                    sequence: 1_000_000, time: time, actor: long, action: "POST /api/v1/" + long,
                    parameters: digest, outcome: "refused last-administrator", request: "r",
                    previous: digest, digest: digest)
            ]),
            Preflight.text([.init("memory lock", .failure, long + long)]),
        ]
        for table in tables {
            for line in table.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
        }
    }

    @Test("requests: users, data sets, audit queries")
    func requests() throws {
        let create = try parse(
            ["user", "create", "olga", "--role", "operator", "--to", "x"], as: UserCreate.self)
        let request = create.request()
        #expect(request.path == "/users")
        #expect(request.idempotencyKey?.count == 36)
        let renew = try parse(["user", "renew", "--to", "x"], as: UserRenew.self)
        #expect(try renew.request().path == "/whoami/certificates")
        let other = try parse(["user", "renew", "../x", "--to", "x"], as: UserRenew.self)
        #expect(throws: Failure.self) { try other.request() }
        let query = try parse(
            ["audit", "query", "--actor", "o&l", "--from", "2026-03-01"], as: AuditList.self)
        #expect(query.path == "/audit?actor=o%26l&from=2026%2D03%2D01&limit=50")
    }

    @Test("completions name every noun", arguments: ["bash", "zsh", "fish"])
    func completions(shell: String) throws {
        let script = Aegis.completionScript(for: try #require(CompletionShell(rawValue: shell)))
        for command in Aegis.configuration.subcommands {
            let name = command.configuration.commandName ?? "?"
            #expect(script.contains(name), "\(name)")
        }
    }
}
