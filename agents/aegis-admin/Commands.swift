import AegisAdmin
import AegisTelemetry
import ArgumentParser
import Logging

struct Initialise: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Makes a mesh: its admin key, founding statement, CA, first administrator.",
        discussion: """
            The folder is made whole or not at all, and never overwritten. The key is sealed when \
            AEGIS_KEY_PASSPHRASE is set; else the file is readable by its owner only.

            Example:
              aegis-admin init --dir admin --mesh hospitals
            """)

    @Option(help: "The folder to make.")
    var dir: String

    @Option(help: "The mesh's name: a-z, 0-9, -, _ and .")
    var mesh: String

    @Option(help: "host:port of the REST API.")
    var api: String = "127.0.0.1:8443"

    @Option(help: "host:port of the mesh listener, where nodes join.")
    var listen: String = "127.0.0.1:8444"

    @Option(help: "How long a coordinator has before the next is elected, in milliseconds.")
    var viewTimeoutMs: UInt64 = 5_000

    @Flag(help: "With three nodes, demand all three signatures instead of two.")
    var strictThree = false

    func run() async throws {
        let passphrase = try AdminSetup.initialise(
            directory: dir, mesh: mesh, api: api, listen: listen,
            viewTimeoutMilliseconds: viewTimeoutMs, strictThree: strictThree,
            passphrase: AdminProgram.passphrase, now: Timestamp.now())
        AdminProgram.write(
            """
            mesh \(mesh) is prepared in \(dir)

              start the admin     aegis-admin run --dir \(dir)
              credentials         export AEGIS_CONTEXT=\(dir)/credentials/context.json
              for a browser       \(dir)/credentials/admin.p12
              its passphrase      \(passphrase)  (shown once, kept nowhere)

            """)
    }
}

struct Adopt: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adopt",
        abstract: "Makes the next admin of a mesh whose admin is lost or not to be trusted.",
        discussion: """
            Another key, CA and first administrator for a mesh that is there. They count for \
            nothing until a quorum of the participants' owners has approved of the key: give them \
            consent.cose, and tell them the key by another way. From then on the old admin is let \
            in nowhere and its tokens are void; runs and models go on.

            Example:
              aegis-admin adopt --dir admin2 --genesis genesis.cbor
            """)

    @Option(help: "The folder to make.")
    var dir: String

    @Option(help: "The file genesis.cbor of any of the mesh's nodes.")
    var genesis: String

    @Option(help: "The admin's key, where it isn't the founding's any more.")
    var replaces: String?

    @Option(help: "host:port of the REST API.")
    var api: String = "127.0.0.1:8443"

    @Option(help: "host:port of the mesh listener.")
    var listen: String = "127.0.0.1:8444"

    func run() async throws {
        let made = try AdminSetup.adopt(
            directory: dir, genesis: genesis, replaces: replaces, api: api, listen: listen,
            passphrase: AdminProgram.passphrase, now: Timestamp.now())
        AdminProgram.write(
            """
            the next admin is prepared in \(dir)

              its key             \(made.admin)
              for the owners      \(dir)/consent.cose
              they approve with   aegis-node motion admin consent.cose --dir DIR \\
                                    --key \(made.admin.prefix(16))
              start the admin     aegis-admin run --dir \(dir)
              credentials         export AEGIS_CONTEXT=\(dir)/credentials/context.json
              for a browser       \(dir)/credentials/admin.p12
              its passphrase      \(made.passphrase)  (shown once, kept nowhere)

            """)
    }
}

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Serves the REST API and the mesh listener until it is told to stop.",
        discussion: "SIGTERM and SIGINT stop it cleanly.\n\nExample:\n  aegis-admin run --dir admin"
    )

    @Option(help: "The folder that `aegis-admin init` made.")
    var dir: String

    @Option(help: "host:port of the REST API, where it differs from the one given to init.")
    var api: String?

    @Option(help: "host:port of the mesh listener, where it differs from the one given to init.")
    var listen: String?

    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: String = "info"

    @Option(help: "json or text; text on a terminal, else json.")
    var logStyle: String?

    func validate() throws {
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw ValidationError("--log-level \(logLevel) is not a level")
        }
        guard logStyle.map({ LogStyle(rawValue: $0) != nil }) ?? true else {
            throw ValidationError("--log-style is json or text")
        }
    }

    func run() async throws {
        Telemetry.bootstrap(
            level: Logger.Level(rawValue: logLevel) ?? .info,
            style: logStyle.flatMap(LogStyle.init(rawValue:)))
        try await AdminSetup.serve(
            directory: dir, api: api, listen: listen, passphrase: AdminProgram.passphrase,
            logger: Logger(label: "aegis-admin"))
    }
}
