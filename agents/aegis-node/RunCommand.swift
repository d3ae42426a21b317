import AegisNode
import AegisTelemetry
import ArgumentParser
import Logging

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Serve: wait for the founding, then take part in the mesh's runs.",
        discussion: """
            Logs go to standard error as JSON lines. SIGTERM and Ctrl-C stop it cleanly; after a
            crash it resumes where it was.

            Example:
              aegis-node run --dir north
            """)

    @OptionGroup var directory: DirectoryOption
    @Option(help: "trace, debug, info, notice, warning or error.")
    var logLevel: String = "info"

    func run() async throws {
        guard let level = Logger.Level(rawValue: logLevel) else {
            throw ValidationError("--log-level is trace, debug, info, notice, warning or error")
        }
        Telemetry.bootstrap(level: level)
        try await reportingFailure {
            try await NodeProgram(directory: NodeDirectory(directory.dir)).run()
        }
    }
}
