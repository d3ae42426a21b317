package import AegisAPI
package import ArgumentParser
import Crypto
import Foundation

package struct AuditCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Searches, exports and verifies the audit log.",
        subcommands: [AuditList.self, AuditExport.self, AuditVerify.self, AuditHead.self])

    package init() {}
}

package struct AuditList: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "query", abstract: "Shows records, the newest first.",
        discussion: """
            Times are UTC: 2026-03-01 or 2026-03-01T09:30:00Z.

            Example:
              aegis audit query --actor olga --from 2026-03-01 --outcome refused
            """, aliases: ["list"])

    @Option(help: "Only acts of this principal.") package var actor: String?
    @Option(help: "Only acts whose method or path has this.") package var action: String?
    @Option(help: "done, refused, failed or replayed.") package var outcome: String?
    @Option(help: "Only the act of this request id.") package var request: String?
    @Option(help: "Not before this time.") package var from: String?
    @Option(help: "Before this time.") package var until: String?
    @Option(help: "How many at most, 1 to 500.") package var limit: Int = 50
    @OptionGroup package var watch: WatchOptions
    @OptionGroup package var common: CommonOptions

    package init() {}

    package var path: String {
        "/audit"
            + PathSegment.query([
                ("actor", actor), ("action", action), ("outcome", outcome), ("request", request),
                ("from", from), ("until", until), ("limit", "\(limit)"),
            ])
    }

    package func run() async throws {
        let path = path
        try await common.show(
            watch: watch, { try await $0.send(.get(path)) }, as: Items<AuditView>.self
        ) { Self.text($0.items) }
    }

    package static func text(_ records: [AuditView]) -> String {
        guard !records.isEmpty else { return "no record has all of this\n" }
        return Table(
            [
                .init("NO.", .right), .init("TIME"), .init("WHO", cutTo: 8),
                .init("WHAT", cutTo: 16), .init("OUTCOME", cutTo: 8),
            ],
            rows: records.map {
                ["\($0.sequence)", Output.time($0.time), $0.actor, $0.action, $0.outcome]
            }
        ).text(width: Console.columns)
    }
}

package struct AuditHead: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "head",
        abstract: "Shows the newest record's digest; written down elsewhere, it proves the log.",
        discussion: "Example:\n  aegis audit head")

    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        try await common.show(
            { try await $0.send(.get("/audit/head")) }, as: AuditHeadView.self
        ) { head in
            "\(head.sequence) \(head.digest)"
                + (head.witnessed.map {
                    " signed by the mesh up to \($0.sequence), at height \($0.height)"
                } ?? "") + "\n"
        }
    }
}

package struct AuditExport: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Writes the whole log to a file, a record a line.",
        discussion: """
            With --evidence, what the mesh has signed of it goes to a folder, for `audit verify`: \
            genesis.cbor and certificates/<height>.cbor.

            Example:
              aegis audit export --to audit.jsonl --evidence mesh-evidence
            """)

    @Option(help: "The file; standard output where it is not given.", completion: .file())
    package var to: String?
    @Option(help: "A folder for the mesh's commits.", completion: .directory)
    package var evidence: String?

    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        let file = try to.map { path in
            guard
                FileManager.default.createFile(
                    atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]),
                let handle = FileHandle(forWritingAtPath: path)
            else { throw Failure(.cannotWrite, "\(path) can't be written") }
            return handle
        }
        let output = file ?? .standardOutput
        try await common.withClient { client in
            try await client.stream(.get("/audit/export")) { chunk in
                do { try output.write(contentsOf: Data(chunk)) } catch {
                    throw Failure(.cannotWrite, "the log can't be written")
                }
            }
            if let evidence { try await AuditEvidence.fetch(client, to: evidence) }
        }
        try file?.close()
    }
}

package struct AuditVerify: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Checks an exported log, or the admin's audit files, without the admin.",
        discussion: """
            Names the first record that was altered, removed or put in, and ends with 1. With \
            --head also a log whose end was cut off is found: give it what `audit head` said \
            before. With --evidence, the folder of `audit export` or `run export`, the log is \
            compared with every head that the mesh has signed; that takes no trust in the admin.

            Example:
              aegis audit verify audit.jsonl --evidence mesh-evidence
              aegis audit verify audit.jsonl --head sha256:6a5e…
              aegis audit verify admin/audit/*.jsonl
            """)

    @Argument(help: "The files, in their order.", completion: .file()) package var files: [String]
    @Option(help: "A head that was written down: it must be in the log.")
    package var head: String?
    @Option(help: "A folder with the mesh's genesis and commits.", completion: .directory)
    package var evidence: String?
    @Option(help: "With --evidence: the key of the admin whose log it is, if not of today's.")
    package var admin: String?
    @Option(help: "text, json or yaml.") package var output: OutputFormat = .text

    package init() {}

    package func run() throws {
        let witnesses = try evidence.map { try AuditEvidence.witnesses(in: $0, of: admin) }
        let finding = try Self.verify(files, head: head, witnesses: witnesses ?? [])
        if output == .text {
            Console.write(Self.text(finding, isCompared: witnesses != nil))
        } else {
            Console.write(try Output.document(try AegisAPI.encode(finding), output))
        }
        guard finding.intact else { throw ArgumentParser.ExitCode(1) }
    }

    package static func text(_ finding: AuditVerificationView, isCompared: Bool) -> String {
        guard finding.intact else {
            return "ALTERED: \(finding.fault ?? ""); \(finding.records) records before it fit\n"
        }
        var text = "\(finding.records) records, unaltered; head \(finding.head)\n"
        guard isCompared else { return text }
        let signed = finding.witnessed?.sequence ?? 0
        if let witnessed = finding.witnessed {
            text += "signed by the mesh up to record \(signed), at height \(witnessed.height)\n"
        }
        if signed < finding.records {
            text += "not witnessed yet: records \(signed + 1) to \(finding.records)\n"
        }
        return text
    }

    package static func verify(
        _ files: [String], head: String?, witnesses: [AuditWitnessView] = []
    ) throws -> AuditVerificationView {
        var chain = AuditChain(witnesses: witnesses) { bytes in
            "sha256:"
                + SHA256.hash(data: bytes).map { byte in
                    (byte < 16 ? "0" : "") + String(byte, radix: 16)
                }.joined()
        }
        var metHead = head == nil
        do {
            for file in files {
                guard let bytes = FileManager.default.contents(atPath: file) else {
                    throw Failure(.notFound, "\(file) can't be read")
                }
                for line in bytes.split(separator: 10) {
                    try chain.take(String(decoding: line, as: UTF8.self))
                    if chain.head == head { metHead = true }
                }
            }
            guard metHead else { throw AuditChain.Fault.otherHead(sequence: chain.sequence) }
            try chain.finish()
        } catch let fault as AuditChain.Fault {
            return AuditVerificationView(
                intact: false, records: chain.sequence, head: chain.head,
                witnessed: chain.witnessed, fault: "\(fault)")
        }
        return AuditVerificationView(
            intact: true, records: chain.sequence, head: chain.head, witnessed: chain.witnessed)
    }
}
