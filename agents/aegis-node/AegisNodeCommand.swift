import AegisNode
import AegisTelemetry
import ArgumentParser
import Logging

@main
struct AegisNodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "aegis-node",
        abstract: "A participant's node in an Aegis mesh.",
        discussion: """
            Example:
              aegis-node join --token aegisjoin1_… --admin admin.example:8444 --dir north \\
                --listen 0.0.0.0:7101 --advertise north.example:7101
              aegis-node dataset add --dir north fashion-mnist --source /data/fashion-mnist \\
                --budget-epsilon 3 --budget-delta 1e-5
              aegis-node run --dir north
            """,
        version: NodeVersion.text,
        subcommands: [
            JoinCommand.self, DatasetCommand.self, RunCommand.self, CheckCommand.self,
            EvidenceCommand.self, LeaveCommand.self, MoveCommand.self, RotateKeyCommand.self,
            MotionCommand.self, IdentityCommand.self,
        ])
}

/// Where a node keeps everything it has.
struct DirectoryOption: ParsableArguments {
    @Option(help: "The node's directory.")
    var dir: String
}

/// Runs `body`; a failure is printed as one `error:` line with a `hint:` where there is a next
/// step, and ends the program with status 1.
func reportingFailure(_ body: () async throws -> Void) async throws {
    do { try await body() } catch let exit as ExitCode {
        throw exit
    } catch {
        let report = FailureReport(error)
        StandardError.write("aegis-node: error: \(report.message)\n")
        if let hint = report.hint { StandardError.write("aegis-node: hint: \(hint)\n") }
        throw ExitCode.failure
    }
}
