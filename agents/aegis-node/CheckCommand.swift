import AegisAPI
import AegisNode
import ArgumentParser

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check everything a stopped node has on its disk.",
        discussion: """
            Replays all commits with their certificates, the safety journal, the privacy ledgers,
            and hashes every blob. Exits with status 1 where anything is wrong.

            Example:
              aegis-node check --dir north
            """)

    @OptionGroup var directory: DirectoryOption
    @Option(help: "text or json.")
    var output: String = "text"

    func run() async throws {
        guard ["text", "json"].contains(output) else {
            throw ValidationError("--output is text or json")
        }
        try await reportingFailure {
            let check = try NodeCheck(NodeDirectory(directory.dir))
            if output == "json" {
                print(String(decoding: try AegisAPI.encode(check), as: UTF8.self))
            } else {
                show(check)
            }
            guard check.faults.isEmpty else { throw ExitCode.failure }
        }
    }

    private func show(_ check: NodeCheck) {
        print("node     \(check.node)")
        print("height   \(check.height)  \(check.tip)")
        if let final = check.final { print("final    \(final.height)  \(final.words)") }
        print("journal  \(check.signedSlots) signed statements")
        for ledger in check.ledgers {
            print(
                "ledger   \(ledger.dataset): \(ledger.reserved) charges, "
                    + "\(ledger.released) releases, ε \(ledger.epsilon)")
        }
        print("blobs    \(check.blobs)")
        for fault in check.faults { print("FAULT    \(fault)") }
        if check.faults.isEmpty { print("all is well") }
    }
}
