import AegisAPI
package import AegisCore
package import AegisNode
package import ArgumentParser
import Glibc

package struct VerifyCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Checks a run's evidence offline and names the first thing that is wrong.",
        discussion: """
            FOLDER is what `aegis-node evidence`, `aegis run export` or the admin's evidence \
            archive gave, or a node's own directory. Checked are the founders' signatures, every \
            decision with its quorum of signatures and what it follows from, elections, signed \
            updates and the digest of every file; each aggregate and model is computed again \
            with the code that nodes use. Ends with 0 where all of it holds, with 1 at the first \
            thing that does not.

            Whoever makes up a whole mesh can sign all of it: compare the genesis with what you \
            know, or give it with --genesis.

            Example:
              aegis verify evidence --genesis sha256:6a5e… --complete
            """)

    @Argument(help: "The folder.", completion: .directory) package var folder: String
    @Option(help: "The genesis that is trusted, as `aegis mesh show` prints it.")
    package var genesis: String?
    @Flag(help: "A round that can't be computed again, because files are missing, is a fault.")
    package var complete = false
    @Option(help: "text or json.") package var output: ReportFormat = .text

    package init() {}

    package func run() async throws {
        let report = try Self.verify(
            folder, genesis: try pinned(), complete: complete,
            progress: Console.progressIsWelcome && output == .text)
        switch output {
        case .text: Console.write(Self.text(report))
        case .json:
            Console.write(try Output.document(try AegisAPI.encode(report), .json))
        }
        guard report.verified else { throw ArgumentParser.ExitCode(1) }
    }

    private func pinned() throws -> Digest? {
        guard let genesis else { return nil }
        guard let digest = Digest(text: genesis) else {
            throw Failure(
                .usage, "--genesis is not sha256:<64 hexadecimal digits>",
                hint: "`aegis mesh show` prints it")
        }
        return digest
    }

    static func verify(
        _ folder: String, genesis: Digest?, complete: Bool, progress: Bool
    ) throws -> EvidenceReport {
        do {
            let source: any EvidenceSource =
                NodeEvidence.isNode(folder)
                ? try NodeEvidence(NodeDirectory(folder)) : try EvidenceFolder(folder)
            let verifier = try EvidenceVerifier(source, pinned: genesis, complete: complete)
            let report = try verifier.verify { height, last in
                if progress { Console.writeError("\r\u{1b}[Kdecision \(height) of \(last)") }
            }
            if progress { Console.writeError("\r\u{1b}[K") }
            return report
        } catch let error as EvidenceError {
            switch error {
            case .notAFolder: throw Failure(.notFound, "\(error)")
            default:
                throw Failure(
                    .invalidInput, "\(error)",
                    hint: "`aegis-node evidence --dir DIR --to FOLDER` writes one")
            }
        }
    }

    /// `up to height 12, by 4 of 4 co-signatures: final (resists 3 traitors)`.
    private static func finality(_ report: EvidenceReport) -> String {
        guard let final = report.final else { return "nothing here: \(FinalityView.committed)" }
        let rest =
            final.height < report.height
            ? "; \(report.height - final.height) after it \(FinalityView.committed)" : ""
        return "up to height \(final.height), by \(final.signatures) of \(final.participants) "
            + "co-signatures: \(final.words)" + rest
    }

    package static func text(_ report: EvidenceReport) -> String {
        var lines: [(String, String)] = []
        if !report.mesh.isEmpty {
            lines.append(("mesh", "\(report.meshName)  \(report.mesh)"))
            lines.append(
                (
                    "genesis",
                    report.genesis
                        + (report.isGenesisPinned ? "  (as given)" : "  (compare: aegis mesh show)")
                ))
            lines.append(
                (
                    "roster",
                    "\(report.participants.joined(separator: ", ")); "
                        + "\(report.quorum) of \(report.participants.count) decide"
                ))
            lines.append(("decisions", "\(report.height)  tip \(report.tip)"))
            lines.append(("final", finality(report)))
        }
        for run in report.runs {
            lines.append(
                (
                    "run",
                    "\(run.name): \(run.rounds) rounds, \(run.recomputed) computed again "
                        + "bit for bit, \(run.rounds - run.recomputed) by certificate only; "
                        + (run.isFinal ? "final" : FinalityView.committed)
                ))
        }
        if report.elections + report.electionsNotKept > 0 {
            lines.append(
                (
                    "elections",
                    "\(report.elections) with their certificates, "
                        + "\(report.electionsNotKept) without"
                ))
        }
        lines.append(("checked", "\(report.updates) signed updates, \(report.blobs) files"))
        if let model = report.model { lines.append(("model", "model.safetensors is \(model)")) }
        var text = lines.map { name, value in
            name + String(repeating: " ", count: 11 - name.count) + value + "\n"
        }.joined()
        if !report.participants.isEmpty, report.participants.count <= 3 {
            text +=
                "note       with \(report.participants.count) participants a traitor can stall "
                + "or fork the mesh; forks are proved, not prevented\n"
        }
        if let fault = report.fault {
            return text + "NOT VERIFIED  \(report.place ?? ""): \(fault)\n"
        }
        return text + "VERIFIED\n"
    }
}
