/// Who may import whom. The modules of the project as in docs/ARCHITECTURE.md, outside modules as
/// declared for the target in Package.swift.
enum ImportTable {
    /// Comes with the toolchain. A pure module gets the mathematics of the C library, no more.
    private static let pure: Set<String> = ["Darwin", "Glibc", "Synchronization"]
    private static let shell: Set<String> = [
        "Darwin", "Dispatch", "Foundation", "FoundationEssentials", "Glibc", "Synchronization",
    ]
    private static let nio: Set<String> = [
        "NIOConcurrencyHelpers", "NIOCore", "NIOFoundationCompat", "NIOHTTP1", "NIOPosix",
        "NIOSSL", "NIOTLS", "_NIOFileSystem",
    ]
    private static let server: Set<String> = [
        "HTTPTypes", "Hummingbird", "HummingbirdCore", "HummingbirdTLS", "Logging",
        "ServiceLifecycle", "UnixSignals",
    ]

    static let modules: [String: Set<String>] = [
        "AegisCore": [],
        "AegisProtocol": ["AegisCore"],
        "AegisCrypto": pure.union(["AegisCore", "CSodium"]),
        "AegisPrivacy": pure.union(["AegisCore", "CNoise", "CPrecise"]),
        // Dispatch runs independent blocks on both cores; results don't depend on it.
        "AegisAggregation": pure.union(["AegisCore", "CAggregation", "Dispatch"]),
        "AegisLearning": pure.union([
            "AegisCore", "AegisPrivacy", "CBLAS", "CLearning", "CScattering",
        ]),

        "AegisIdentity": shell.union([
            "AegisCore", "AegisCrypto", "AegisProtocol", "COpenSSL", "Crypto", "SwiftASN1", "X509",
        ]),
        "AegisStore": shell.union([
            "AegisCore", "AegisPrivacy", "AegisProtocol", "CZlib", "Crypto", "GRDB",
        ]),
        "AegisData": shell.union([
            "AegisCore", "AegisCrypto", "AegisLearning", "AegisPrivacy", "AegisStore", "Yams",
        ]),
        "AegisTransport": shell.union(nio).union(server).union([
            "AegisCore", "AegisCrypto", "AegisIdentity", "AegisProtocol", "AegisStore",
            "AsyncHTTPClient", "Crypto", "X509",
        ]),
        "AegisTelemetry": shell.union(["Logging"]),
        "AegisAPI": shell,
        "AegisReport": shell.union(["AegisCore"]),
        "AegisSimulation": ["AegisCore", "AegisProtocol"],

        "AegisNode": shell.union([
            "AegisAPI", "AegisAggregation", "AegisCore", "AegisCrypto", "AegisData",
            "AegisIdentity", "AegisLearning", "AegisPrivacy", "AegisProtocol", "AegisStore",
            "AegisTelemetry", "AegisTransport", "CMalloc", "Logging", "NIOCore", "NIOPosix",
            "ServiceLifecycle", "UnixSignals", "Yams",
        ]),
        "AegisAdmin": shell.union(nio).union(server).union([
            "AegisAPI", "AegisCore", "AegisCrypto", "AegisIdentity", "AegisPrivacy",
            "AegisProtocol", "AegisReport", "AegisStore", "AegisTelemetry", "AegisTransport",
            "Crypto", "GRDB", "UnixSignals", "X509",
        ]),

        "aegis": shell.union(nio).union([
            "AegisAPI", "AegisAggregation", "AegisCore", "AegisCrypto", "AegisData",
            "AegisIdentity", "AegisLearning", "AegisNode", "AegisPrivacy", "AegisProtocol",
            "AegisReport", "AegisStore", "ArgumentParser", "AsyncHTTPClient", "Crypto", "Yams",
        ]),
        "aegis-node": shell.union([
            "AegisAPI", "AegisCore", "AegisNode", "AegisPrivacy", "AegisTelemetry",
            "ArgumentParser", "Logging",
        ]),
        "aegis-admin": shell.union(["AegisAdmin", "AegisTelemetry", "ArgumentParser", "Logging"]),
        "aegis-sim": shell.union([
            "AegisCore", "AegisCrypto", "AegisProtocol", "AegisSimulation", "ArgumentParser",
            "Yams",
        ]),

        // In Tests/.
        "TestFolders": pure,

        // In benchmarks/.
        "learning-speed": shell.union([
            "AegisCore", "AegisCrypto", "AegisLearning", "AegisPrivacy",
        ]),
        "aegis-attacks": shell.union([
            "AegisAggregation", "AegisCore", "AegisLearning", "AegisReport", "AegisSimulation",
        ]),
        "aegis-aggregation-speed": shell.union(["AegisAggregation", "AegisCore"]),
        "aegis-noise-speed": ["AegisCrypto", "AegisPrivacy"],
        // Not a target: tools/fuzz compiles them.
        "Fuzz": [
            "AegisAggregation", "AegisCore", "AegisCrypto", "AegisIdentity", "AegisLearning",
            "AegisProtocol",
        ],
    ]

    /// C libraries, each behind exactly one module.
    static let libraries = [
        "CSodium": "AegisCrypto", "COpenSSL": "AegisIdentity", "CBLAS": "AegisLearning",
        "CAggregation": "AegisAggregation", "CLearning": "AegisLearning",
        "CNoise": "AegisPrivacy", "CPrecise": "AegisPrivacy", "CScattering": "AegisLearning",
        "CZlib": "AegisStore", "CMalloc": "AegisNode",
    ]

    /// What a test target needs beyond its module's own imports.
    static let testExtras: [String: Set<String>] = [
        "AegisAdminTests": ["AsyncHTTPClient"],
        "AegisNodeTests": ["TestFolders"],
        "AegisProtocolTests": ["AegisSimulation"],
        "AegisSimulationTests": ["Yams"],
        "AegisStoreTests": ["CPowerCut", "TestFolders"],
        "AegisTransportTests": ["SwiftASN1", "TestFolders"],
    ]

    /// What files of `target` may import, or nil where the table doesn't know it.
    static func allowed(in target: String) -> Set<String>? {
        if let modules = modules[target] { return modules }
        guard target.hasSuffix("Tests") else { return nil }
        let tested = String(target.dropLast("Tests".count))
        return shell.union(["Testing", tested])
            .union(modules[tested] ?? [])
            .union(testExtras[target] ?? [])
    }
}

extension ImportTable {
    /// The project's own modules that each target of a manifest depends on: the quoted names in
    /// `dependencies: […]` after the target's `name: "…"`.
    static func declared(in manifest: String) -> [String: Set<String>] {
        var targets: [String: Set<String>] = [:]
        for target in manifest.split(separator: "arget(").dropFirst() {
            let quoted = target.split(separator: "\"", omittingEmptySubsequences: false)
            guard quoted.count > 1 else { continue }
            let list = target.split(separator: "dependencies: [", maxSplits: 1).dropFirst().first
            let names = (list?.prefix { $0 != "]" } ?? "")
                .split(separator: "\"", omittingEmptySubsequences: false)
            targets[String(quoted[1])] = Set(
                names.enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) })
        }
        return targets
    }
}

extension Rule {
    static let imports = Rule(name: "imports as in the table") { file in
        guard file.isSwift, let target = file.module else { return [] }
        guard let allowed = ImportTable.allowed(in: target) else {
            return [file.finding(line: 1, "`\(target)` is not in ImportTable")]
        }
        return file.imports().filter { !allowed.contains($0.module) }.map {
            file.finding(line: $0.line, "`\(target)` may not import `\($0.module)`")
        }
    }
}

extension SourceFile {
    private static let kinds: Set<Substring> = [
        "struct", "class", "enum", "protocol", "func", "var", "let", "typealias",
    ]

    /// The modules of the import declarations, with their lines.
    func imports() -> [(module: String, line: Int)] {
        let code = code.split(separator: .newline, omittingEmptySubsequences: false)
        return code.enumerated().compactMap { index, line in
            guard line.contains(UInt8(ascii: "m")) else { return nil }
            let words = String(decoding: line, as: UTF8.self).split(separator: " ")
            guard let keyword = words.firstIndex(of: "import"),
                words[..<keyword].allSatisfy({ $0.hasPrefix("@") || Self.accessLevels.contains($0) }
                )
            else { return nil }
            let name = words[(keyword + 1)...].first { !Self.kinds.contains($0) }
            guard let module = name?.split(separator: ".").first else { return nil }
            return (String(module), index + 1)
        }
    }

    private static let accessLevels: Set<Substring> = [
        "public", "package", "internal", "fileprivate", "private",
    ]
}
