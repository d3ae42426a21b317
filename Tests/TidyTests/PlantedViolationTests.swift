import Testing

/// A rule that finds nothing proves nothing until it has found something that was put there.
@Suite("The rules find what is planted")
struct PlantedViolationTests {
    struct Plant: Sendable, CustomTestStringConvertible {
        let rule: String
        var path = "Sources/AegisCore/Planted.swift"
        let bad: String
        let good: String

        var testDescription: String { "\(rule): \(bad.prefix(40))" }
    }

    static let longFunction =
        "func f() {\n" + String(repeating: "    step()\n", count: 59) + "}\n"
    static let shortFunction =
        "func f() {\n" + String(repeating: "    step()\n", count: 58) + "}\n"

    static let plants: [Plant] = [
        Plant(
            rule: "lines of at most 100 columns", bad: String(repeating: "é", count: 101),
            good: String(repeating: "é", count: 100)),
        Plant(
            rule: "files of at most 600 lines", bad: String(repeating: "a\n", count: 601),
            good: String(repeating: "a\n", count: 600)),
        Plant(rule: "functions of at most 60 lines", bad: longFunction, good: shortFunction),
        Plant(
            rule: "functions of at most 60 lines",
            bad: "struct S {\n    init?(a: (Int) -> Void = { _ in }) throws(E) {\n"
                + String(repeating: "\n", count: 60) + "}}",
            good: "protocol P {\n    init(a: Int)\n    func g()\n"
                + String(repeating: "    var h: Int { get }\n", count: 70) + "}"),
        Plant(
            rule: "no print outside the programs", bad: "print(\"a\")",
            good: "// print(a)\nlet a = \"print(b)\"; footprint(c)"),
        Plant(
            rule: "no forced try or cast", bad: "let a = try! f()", good: "let a = try? f()"),
        Plant(rule: "no forced try or cast", bad: "let a = b as! C", good: "let a = b as? C"),
        Plant(
            rule: "no forced unwrapping", bad: "let a = b[0]!.c",
            good: "let a = !b && c != d // great!"),
        Plant(rule: "no forced unwrapping", bad: "\"\\(a!)\"", good: "\"\\(a) wow!\""),
        Plant(
            rule: "no forced unwrapping", bad: "var a: Int!",
            good: "#if !os(Linux)\nlet a = \"\"\"\n    b!\n    \"\"\"\n#endif"),
        Plant(
            rule: "whatever the compiler can't check has its reason above it",
            bad: "\nfinal class A: @unchecked Sendable {}",
            good: "// Every field is behind one mutex.\nfinal class A: @unchecked Sendable {}"),
        Plant(
            rule: "whatever the compiler can't check has its reason above it",
            bad: "// Short.\nnonisolated(unsafe) var a = 0",
            good: "/// Written once, before any thread starts.\n@usableFromInline\n"
                + "nonisolated(unsafe) var a = 0"),
        Plant(
            rule: "only a verifier makes `Verified`", path: "Sources/AegisNode/Planted.swift",
            bad: "Verified<A>(verifiedFrom: a, b)", good: "a.map { B($0) }"),
        Plant(
            rule: "only a verifier makes `Verified`", path: "agents/aegis/Planted.swift",
            bad: "envelope.unverifiedPayload", good: "// unverifiedPayload"),
        Plant(
            rule: "no wide vector where an async function could hold it",
            bad: "let a: SIMD4<UInt64>", good: "let a: SIMD2<UInt64> // not SIMD4<UInt64>"),
        Plant(
            rule: "no clock and no task in the pure modules", bad: "let a = Date()",
            good: "let a = FooDate(b)"),
        Plant(
            rule: "no clock and no task in the pure modules", bad: "a = clock.now",
            good: "a = clock.nowhere + self.now"),
        Plant(
            rule: "no clock and no task in the pure modules", bad: "Task { await a() }",
            good: "\"Task {\""),
        Plant(
            rule: "no global randomness in the pure modules", bad: "a.shuffled()",
            good: "a.shuffled(using: &generator)"),
        Plant(
            rule: "no global randomness in the pure modules", bad: "Int.random(in: 0..<f())",
            good: "Int.random(in: 0..<f(), using: &generator)"),
        Plant(
            rule: "imports as in the table", bad: "package import AegisCrypto",
            good: "// import AegisCrypto"),
        Plant(
            rule: "imports as in the table", path: "Sources/AegisAdmin/Planted.swift",
            bad: "@preconcurrency import struct AegisNode.Node", good: "import AegisStore"),
        Plant(
            rule: "imports as in the table", path: "Sources/AegisUnheardOf/Planted.swift",
            bad: "let a = 0", good: ""),
        Plant(
            rule: "imports as in the table", path: "Tests/AegisPrivacyTests/Planted.swift",
            bad: "import CSodium", good: "import AegisPrivacy\nimport Testing"),
        Plant(
            rule: "nothing left for later", path: "docs/PLANTED.md", bad: "a " + "TO" + "DO: b",
            good: "TO" + "DOs"),
        Plant(
            rule: "no paths of a machine, no registry's host", path: "README.md",
            bad: "see /wor" + "k/main", good: "see work/main"),
        Plant(
            rule: "shell scripts stop at the first error", path: "simulations/planted",
            bad: "#!/usr/bin/env bash\nset -e\n", good: "#!/usr/bin/env bash\nset -euo pipefail\n"),
        Plant(
            rule: "shell scripts stop at the first error", path: "simulations/planted.sh",
            bad: "f() { :; }", good: "# shellcheck shell=bash\nf() { :; }"),
    ]

    @Test("a rule finds the bad text and leaves the good one alone", arguments: plants)
    func finds(_ plant: Plant) throws {
        let rule = try #require(Rule.all.first { $0.name == plant.rule })
        let bad = SourceFile(path: plant.path, text: plant.bad, isExecutable: true)
        #expect(!rule.check(bad).isEmpty, "not found in: \(plant.bad)")
        let path = plant.path.replacing("UnheardOf", with: "Core")
        let good = SourceFile(path: path, text: plant.good, isExecutable: true)
        let findings = rule.check(good)
        #expect(findings.isEmpty, "\(findings)")
    }

    @Test("every rule has a plant")
    func complete() {
        let planted = Set(Self.plants.map(\.rule))
        let missing = Rule.all.map(\.name).filter { !planted.contains($0) }
        #expect(missing.isEmpty, "\(missing)")
    }

    @Test("a script without the executable bit is found")
    func notExecutable() {
        let text = "#!/usr/bin/env bash\nset -euo pipefail\n"
        let file = SourceFile(path: "simulations/planted", text: text, isExecutable: false)
        #expect(Rule.shellScripts.check(file).map(\.message) == ["not executable"])
    }

    @Test("the scanner blanks comments and strings, and keeps offsets and interpolations")
    func scanner() {
        let text = """
            let a = "x\\(b + "y")z" // c
            let d = #"e"\\(f)\\#(g)"# /* h /* i */ j */ + k
            """
        let code = String(decoding: CodeScanner.code(of: Array(text.utf8)), as: UTF8.self)
        #expect(code.count == text.count)
        let words = code.split { !$0.isLetter }.map(String.init)
        #expect(words == ["let", "a", "b", "let", "d", "g", "k"])
    }

    @Test("a finding names its line")
    func lines() {
        let file = SourceFile(path: "Sources/AegisCore/A.swift", text: "\n\nlet a = b!\n")
        #expect(Rule.all.flatMap { $0.check(file) }.map(\.line) == [3])
    }
}
