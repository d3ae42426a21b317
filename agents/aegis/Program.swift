package import ArgumentParser
import Foundation

package struct Aegis: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "aegis",
        abstract: "Runs a mesh of organisations that train one model together.",
        discussion: """
            The admin is found through --context FILE or the environment variable AEGIS_CONTEXT.
            Exit codes are listed in docs/CLI.md.

            Example:
              export AEGIS_CONTEXT=mesh/admin/credentials/context.json
              aegis node list
            """,
        version: "aegis 0.1.0",
        subcommands: [
            ContextCommand.self, MeshCommand.self, NodeCommand.self, TokenCommand.self,
            RunCommand.self, DatasetCommand.self, BudgetCommand.self, RuleCommand.self,
            UserCommand.self, AuditCommand.self, WhoAmI.self, Preflight.self,
            TrainCommand.self, EvaluateCommand.self, BaselineCommand.self, DataCommand.self,
            PrivacyCommand.self, AggregateCommand.self, VerifyCommand.self, CompletionCommand.self,
        ])

    package init() {}
}

package enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case text, json, yaml
}

/// Of the commands that need no admin.
package enum ReportFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case text, json
}

/// What every command that asks the admin takes.
package struct CommonOptions: ParsableArguments {
    @Option(help: "A context's file or name; else AEGIS_CONTEXT, else `aegis context use`.")
    package var context: String?

    @Option(help: "text, json or yaml.")
    package var output: OutputFormat = .text

    package init() {}

    func withClient<Value>(
        _ body: (AdminClient) async throws -> Value
    ) async throws -> Value {
        let context = try Context(
            path: context, environment: ProcessInfo.processInfo.environment)
        return try await AdminClient.with(context, body)
    }
}

package enum Program {
    /// Runs one command line and returns the exit code.
    package static func run(_ arguments: [String]) async -> Int32 {
        do {
            var command = try Aegis.parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            return ExitCode.success.rawValue
        } catch let failure as Failure {
            Console.writeError(failure.text)
            return failure.code.rawValue
        } catch let code as ArgumentParser.ExitCode {
            return code.rawValue
        } catch {
            return report(error)
        }
    }

    /// What the argument parser has to say: help and version on standard output, else an error.
    private static func report(_ error: any Error) -> Int32 {
        let code = Aegis.exitCode(for: error)
        let text = Aegis.fullMessage(for: error)
        if code.isSuccess {
            Console.write(text + "\n")
            return 0
        }
        let plain = text.hasPrefix("Error: ") ? String(text.dropFirst(7)) : text
        Console.writeError("aegis: error: \(plain)\n")
        return code == .validationFailure
            ? ExitCode.usage.rawValue : ExitCode.internalError.rawValue
    }
}
