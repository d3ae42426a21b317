import Testing

@Suite("The project keeps its own habits")
struct TidyTests {
    @Test("the rules see the project's files")
    func seesFiles() {
        let paths = Set(Project.files.map(\.path))
        for path in ["Package.swift", "Makefile", "Sources/AegisCore/NodeID.swift"] {
            #expect(paths.contains(path), "\(path) not found")
        }
    }

    @Test("every file keeps every rule", arguments: Rule.all)
    func keeps(_ rule: Rule) {
        let findings = Project.files.flatMap(rule.check)
        guard !findings.isEmpty else { return }
        let list = findings.map { "\n\($0)" }.joined()
        Issue.record("broken in \(findings.count) places: \(rule.name)\(list)")
    }

    @Test("each C library is imported by exactly one module")
    func libraries() {
        for (library, owner) in ImportTable.libraries {
            let importers = ImportTable.modules.filter { $0.value.contains(library) }.keys
            #expect(Array(importers) == [owner], "\(library) belongs to \(owner)")
        }
        let unknown = Project.folders(in: "Sources")
            .filter { $0.hasPrefix("C") && ImportTable.libraries[$0] == nil }
        #expect(unknown.isEmpty, "no owner in ImportTable.libraries: \(unknown)")
    }

    @Test("Package.swift declares for a target only what the table allows")
    func manifest() throws {
        let manifest = try #require(Project.files.first { $0.path == "Package.swift" })
        let targets = ImportTable.declared(in: manifest.lines.joined(separator: "\n"))
        #expect(targets.keys.contains("AegisNode"))
        for (target, declared) in targets {
            let allowed = ImportTable.allowed(in: target) ?? []
            let extra = declared.subtracting(allowed).sorted()
            #expect(extra.isEmpty, "\(target) declares \(extra); not in ImportTable")
        }
    }

    @Test("the admin never imports the node, and nothing pure imports a shell")
    func layers() {
        #expect(ImportTable.modules["AegisAdmin"]?.contains("AegisNode") == false)
        for module in Rule.pureModules {
            let imported = (ImportTable.modules[module] ?? []).filter { $0.hasPrefix("Aegis") }
            #expect(imported.isSubset(of: Rule.pureModules), "\(module) imports \(imported)")
        }
    }

    @Test("every module has tests, or a reason to have none")
    func modulesAreTested() {
        let tests = Set(Project.folders(in: "Tests"))
        let untested = Project.folders(in: "Sources")
            .filter { ImportTable.libraries[$0] == nil && Self.testedElsewhere[$0] == nil }
            .filter { !tests.contains($0 + "Tests") }
        #expect(untested.isEmpty, "no test target: \(untested.sorted())")
        let outdated = Self.testedElsewhere.keys.filter { tests.contains($0 + "Tests") }
        #expect(outdated.isEmpty, "tested after all, take off the list: \(outdated.sorted())")
    }

    /// Modules without a test target of their own, and where their tests are.
    static let testedElsewhere: [String: String] = [:]
}
