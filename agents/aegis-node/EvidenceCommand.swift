import AegisAPI
import AegisNode
import ArgumentParser

struct EvidenceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evidence",
        abstract: "Write what this node can prove to a folder that anybody can verify.",
        discussion: """
            The founders' genesis, every decision with its certificate, elections, the signed \
            updates of each round, and their content as far as it is still here: \
            `keep_rounds: all` in node.yaml keeps it for good, else the last three rounds have \
            it. The node may be running. `aegis verify FOLDER` checks the folder on any machine.

            Example:
              aegis-node evidence --dir north --to evidence --run readmission
              aegis verify evidence
            """)

    @OptionGroup var directory: DirectoryOption
    @Option(help: "The folder; made where it isn't there, and empty.")
    var to: String
    @Option(help: "A run's name or id: up to its end, and only its updates.")
    var run: String?
    @Option(help: "text or json.")
    var output: String = "text"

    func run() async throws {
        guard ["text", "json"].contains(output) else {
            throw ValidationError("--output is text or json")
        }
        try await reportingFailure {
            let outcome = try EvidenceExport(NodeDirectory(directory.dir), to: to).write(run: run)
            if output == "json" {
                print(String(decoding: try AegisAPI.encode(outcome), as: UTF8.self))
            } else {
                print(
                    "\(outcome.height) decisions, \(outcome.rounds) rounds, \(outcome.complete) "
                        + "of them complete: \(outcome.bytes) bytes in \(to)"
                )
                print(
                    outcome.final.map { "height \($0.height) is \($0.words)" }
                        ?? "the last of them is \(FinalityView.committed)")
                print("next: aegis verify \(to)")
            }
        }
    }
}
