// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("ImmutableWeakCaptures"),
]

/// Modules that call C through pointers mark every such call `unsafe` (SE-0458).
let strictMemory = strict + [.strictMemorySafety()]

let argumentParser = Target.Dependency.product(
    name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient = Target.Dependency.product(
    name: "AsyncHTTPClient", package: "async-http-client")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTLS = Target.Dependency.product(name: "HummingbirdTLS", package: "hummingbird")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let serviceLifecycle = Target.Dependency.product(
    name: "ServiceLifecycle", package: "swift-service-lifecycle")
let swiftASN1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let unixSignals = Target.Dependency.product(
    name: "UnixSignals", package: "swift-service-lifecycle")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
    name: "aegis",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "aegis", targets: ["aegis"]),
        .executable(name: "aegis-node", targets: ["aegis-node"]),
        .executable(name: "aegis-admin", targets: ["aegis-admin"]),
        .executable(name: "aegis-sim", targets: ["aegis-sim"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(
            url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(
            url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // C libraries: module maps and shims only, each imported by exactly one module.
        .systemLibrary(
            name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
        .systemLibrary(
            name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CMalloc"),
        .target(name: "CNoise", cSettings: [.unsafeFlags(["-ffp-contract=off"])]),
        .target(name: "CPrecise", cSettings: [.unsafeFlags(["-ffp-contract=off"])]),

        // Our own kernels in C, each target imported by exactly one module.
        .target(name: "CLearning"),
        .target(name: "CScattering"),

        // Pure: no I/O, no clock, no global randomness.
        .target(name: "AegisCore", swiftSettings: strict),
        .target(name: "AegisProtocol", dependencies: ["AegisCore"], swiftSettings: strict),
        .target(
            name: "AegisCrypto", dependencies: ["AegisCore", "CSodium"],
            swiftSettings: strictMemory),
        .target(
            name: "AegisPrivacy", dependencies: ["AegisCore", "CNoise", "CPrecise"],
            swiftSettings: strict),
        .target(
            name: "CAggregation", cSettings: [.unsafeFlags(["-ffp-contract=off"])]),
        .target(
            name: "AegisAggregation", dependencies: ["AegisCore", "CAggregation"],
            swiftSettings: strict),
        .target(
            name: "AegisLearning",
            dependencies: ["AegisCore", "AegisPrivacy", "CBLAS", "CLearning", "CScattering"],
            swiftSettings: strict),

        // Shells: disk, network, clock.
        .target(
            name: "AegisIdentity",
            dependencies: [
                "AegisCore", "AegisCrypto", "AegisProtocol", "COpenSSL", crypto, swiftASN1, x509,
            ],
            swiftSettings: strict),
        .target(
            name: "AegisStore",
            dependencies: [
                "AegisCore", "AegisPrivacy", "AegisProtocol", "CZlib", crypto, grdb,
            ],
            swiftSettings: strict),
        .target(
            name: "AegisData",
            dependencies: [
                "AegisCore", "AegisCrypto", "AegisLearning", "AegisPrivacy", "AegisStore", yams,
            ],
            swiftSettings: strict),
        .target(
            name: "AegisTransport",
            dependencies: [
                "AegisCore", "AegisCrypto", "AegisIdentity", "AegisProtocol", "AegisStore",
                asyncHTTPClient, hummingbirdCore, logging, nioCore, nioPosix,
                nioSSL, serviceLifecycle, x509, crypto,
            ],
            swiftSettings: strict),
        .target(name: "AegisTelemetry", dependencies: [logging], swiftSettings: strict),
        .target(
            name: "AegisNode",
            dependencies: [
                "AegisAPI", "AegisCore", "AegisProtocol", "AegisCrypto", "AegisPrivacy",
                "AegisAggregation", "AegisData", "AegisLearning", "AegisIdentity", "AegisStore",
                "AegisTransport", "AegisTelemetry", "CMalloc", logging, nioCore, nioPosix,
                serviceLifecycle, unixSignals, yams,
            ],
            swiftSettings: strict),
        .target(name: "AegisReport", dependencies: ["AegisCore"], swiftSettings: strict),
        .target(name: "AegisAPI", swiftSettings: strict),
        .target(
            name: "AegisAdmin",
            dependencies: [
                "AegisAPI", "AegisCore", "AegisProtocol", "AegisCrypto", "AegisPrivacy",
                "AegisIdentity", "AegisStore", "AegisTransport", "AegisTelemetry", "AegisReport",
                hummingbird, hummingbirdTLS, logging, nioCore, nioPosix, nioSSL, serviceLifecycle,
                unixSignals, x509, crypto, grdb,
            ],
            resources: [
                .embedInCode("Dashboard/Assets/app.css"), .embedInCode("Dashboard/Assets/app.js"),
                .embedInCode("Dashboard/Assets/charts.js"),
                .embedInCode("Dashboard/Assets/forms.js"),
                .embedInCode("Dashboard/Assets/icon.svg"),
            ],
            swiftSettings: strict),
        .target(
            name: "AegisSimulation",
            dependencies: ["AegisCore", "AegisProtocol"],
            swiftSettings: strict),

        // The programs.
        .executableTarget(
            name: "aegis",
            dependencies: [
                "AegisAPI", "AegisAggregation", "AegisCore", "AegisCrypto", "AegisData",
                "AegisIdentity", "AegisLearning", "AegisNode", "AegisPrivacy", "AegisProtocol",
                "AegisReport", "AegisStore", argumentParser, asyncHTTPClient, crypto, nioCore,
                nioHTTP1, nioSSL, yams,
            ],
            path: "agents/aegis", swiftSettings: strict),
        .executableTarget(
            name: "aegis-node",
            dependencies: [
                "AegisAPI", "AegisNode", "AegisPrivacy", "AegisTelemetry", argumentParser, logging,
            ],
            path: "agents/aegis-node", swiftSettings: strict),
        .executableTarget(
            name: "aegis-admin",
            dependencies: ["AegisAdmin", "AegisTelemetry", argumentParser, logging],
            path: "agents/aegis-admin", swiftSettings: strict),
        .executableTarget(
            name: "aegis-sim",
            dependencies: [
                "AegisCore", "AegisCrypto", "AegisProtocol", "AegisSimulation", argumentParser,
                yams,
            ],
            path: "simulations/aegis-sim", swiftSettings: strict),

        // Measures training speed; benchmarks/learning-speed/compare runs it beside others.
        .executableTarget(
            name: "learning-speed",
            dependencies: ["AegisCore", "AegisCrypto", "AegisLearning", "AegisPrivacy"],
            path: "benchmarks/learning-speed", exclude: ["README.md", "compare", "rivals.py"],
            swiftSettings: strict),

        // The measurements.
        .executableTarget(
            name: "aegis-attacks",
            dependencies: [
                "AegisAggregation", "AegisCore", "AegisLearning", "AegisReport", "AegisSimulation",
            ],
            path: "benchmarks/aegis-attacks", swiftSettings: strict),
        .executableTarget(
            name: "aegis-aggregation-speed", dependencies: ["AegisAggregation", "AegisCore"],
            path: "benchmarks/aegis-aggregation-speed", swiftSettings: strict),
        .executableTarget(
            name: "aegis-noise-speed", dependencies: ["AegisCrypto", "AegisPrivacy"],
            path: "benchmarks/aegis-noise-speed", swiftSettings: strict),

        .testTarget(name: "TidyTests", swiftSettings: strict),
        .testTarget(
            name: "AegisPrivacyTests", dependencies: ["AegisCore", "AegisPrivacy"],
            exclude: ["Fixtures"], swiftSettings: strict),
        .testTarget(
            name: "AegisAggregationTests", dependencies: ["AegisCore", "AegisAggregation"],
            exclude: ["Fixtures"], swiftSettings: strict),
        .testTarget(
            name: "AegisCoreTests", dependencies: ["AegisCore"], swiftSettings: strict),
        .testTarget(
            name: "AegisCryptoTests", dependencies: ["AegisCore", "AegisCrypto"],
            exclude: ["cose_interop.py"], swiftSettings: strict),
        .testTarget(
            name: "AegisIdentityTests",
            dependencies: [
                "AegisCore", "AegisCrypto", "AegisIdentity", "AegisProtocol", crypto, swiftASN1,
                x509,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "AegisLearningTests",
            dependencies: ["AegisCore", "AegisLearning", "AegisPrivacy", "CLearning"],
            exclude: ["Fixtures"], swiftSettings: strict),
        .testTarget(
            name: "AegisDataTests", dependencies: ["AegisData", "AegisLearning", "AegisStore"],
            exclude: ["Fixtures"], swiftSettings: strict),
        .testTarget(
            name: "AegisStoreTests",
            dependencies: [
                "AegisCore", "AegisPrivacy", "AegisStore", "CPowerCut", "TestFolders", crypto,
            ],
            swiftSettings: strict),
        .target(
            name: "CPowerCut", path: "Tests/CPowerCut",
            linkerSettings: [.linkedLibrary("sqlite3")]),
        .target(name: "TestFolders", path: "Tests/TestFolders", swiftSettings: strict),
        .testTarget(
            name: "AegisAPITests", dependencies: ["AegisAPI"], swiftSettings: strict),
        .testTarget(
            name: "AegisTelemetryTests", dependencies: ["AegisTelemetry", logging],
            swiftSettings: strict),
        .testTarget(
            name: "AegisReportTests", dependencies: ["AegisReport"], exclude: ["Golden"],
            swiftSettings: strict),
        .testTarget(
            name: "AegisAdminTests",
            dependencies: [
                "AegisAPI", "AegisAdmin", "AegisCore", "AegisCrypto", "AegisIdentity",
                "AegisPrivacy", "AegisProtocol", "AegisStore", "AegisTelemetry", "AegisTransport",
                asyncHTTPClient, crypto, grdb, logging, nioCore, nioHTTP1, nioPosix, nioSSL,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "aegisTests",
            dependencies: [
                "aegis", "AegisAPI", "AegisCore", "AegisPrivacy", "AegisStore", argumentParser,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "AegisTransportTests",
            dependencies: [
                "AegisCore", "AegisCrypto", "AegisIdentity", "AegisProtocol", "AegisStore",
                "AegisTransport", "TestFolders", crypto, logging, nioCore, nioPosix, swiftASN1,
                x509,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "AegisProtocolTests",
            dependencies: ["AegisCore", "AegisProtocol", "AegisSimulation"],
            swiftSettings: strict),
        .testTarget(
            name: "AegisSimulationTests",
            dependencies: ["AegisProtocol", "AegisSimulation", yams],
            swiftSettings: strict),
        .testTarget(
            name: "AegisNodeTests",
            dependencies: [
                "AegisAPI", "AegisAggregation", "AegisCore", "AegisCrypto", "AegisIdentity",
                "AegisLearning", "AegisNode", "AegisPrivacy", "AegisProtocol", "AegisStore",
                "AegisTransport", "TestFolders", logging, nioCore, nioPosix, serviceLifecycle,
            ],
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
