import AegisAdmin
import AegisTelemetry
import ArgumentParser
import Foundation
import Logging

struct AegisAdminCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "aegis-admin",
        abstract: "Founds a mesh and serves its admin API.",
        discussion: """
            The admin enrols participants and hands out runs. It never votes and never sees data; \
            training goes on without it.

            Example:
              aegis-admin init --dir admin --mesh hospitals
              aegis-admin run --dir admin
            """,
        version: "aegis-admin 0.1.0",
        subcommands: [
            Initialise.self, Adopt.self, Run.self, BackUp.self, Restore.self, IssueUser.self,
        ])
}

enum AdminProgram {
    static func run(_ arguments: [String]) async -> Int32 {
        do {
            var command = try AegisAdminCommand.parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            return 0
        } catch let code as ExitCode {
            return code.rawValue
        } catch let failure as AdminFailure {
            writeError("aegis-admin: error: \(failure.message)\n")
            if let hint = failure.hint { writeError("aegis-admin: hint: \(hint)\n") }
            return failure.code
        } catch {
            return report(error)
        }
    }

    private static func report(_ error: any Error) -> Int32 {
        let code = AegisAdminCommand.exitCode(for: error)
        let text = AegisAdminCommand.fullMessage(for: error)
        if code.isSuccess {
            write(text + "\n")
            return 0
        }
        if code == .validationFailure {
            let plain = text.hasPrefix("Error: ") ? String(text.dropFirst(7)) : text
            writeError("aegis-admin: error: \(plain)\n")
            return 64
        }
        let failure = AdminFailure(error)
        writeError("aegis-admin: error: \(failure.message)\n")
        if let hint = failure.hint { writeError("aegis-admin: hint: \(hint)\n") }
        return failure.code
    }

    static func write(_ text: String) {
        FileHandle.standardOutput.write(Data(text.utf8))
    }

    static func writeError(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }

    /// Seals the admin's key where it is set.
    static var passphrase: [UInt8]? {
        guard let text = ProcessInfo.processInfo.environment["AEGIS_KEY_PASSPHRASE"],
            !text.isEmpty
        else { return nil }
        return Array(text.utf8)
    }
}
