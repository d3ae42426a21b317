import AegisAPI
import AegisCore
import AegisCrypto
import AegisNode
import AegisProtocol
import Foundation
import TestFolders
import Testing

@Suite("Evidence that is checked offline")
struct EvidenceTests {
    private static let rounds = 5

    @Test("what a node exports verifies, every round is computed again, tampering is named")
    func exported() async throws {
        let mesh = try TestMesh(members: 3)
        for member in mesh.members { try keepAll(member) }
        let scratch = try TemporaryDirectory()
        let folder = scratch.file("evidence")
        try await withNodes(mesh, mesh.members) { nodes, admin in
            try await admin.post(
                mesh.command(.start(Sample.specification(rounds: Self.rounds))), to: nodes)
            _ = try await admin.finished(nodes, rounds: Self.rounds)
            try await eventually("all three to have co-signed the end") {
                try await admin.status(of: nodes[0])?.final?.height == UInt64(Self.rounds) + 1
            }
            // A moment later it is on the disk.
            try await Task.sleep(for: .milliseconds(600))
            // The node still runs.
            let outcome = try EvidenceExport(mesh.members[0].directory, to: folder).write()
            #expect(outcome.height == UInt64(Self.rounds) + 1)
            #expect(outcome.complete == Self.rounds)
            #expect(outcome.final?.height == outcome.height)
        }
        let report = try verify(folder)
        #expect(report.verified, "\(report.place ?? "") \(report.fault ?? "")")
        #expect(report.runs.map(\.recomputed) == [Self.rounds])
        #expect(report.final?.height == report.height)
        #expect(report.final?.resists == 2)
        #expect(report.runs[0].isFinal)
        #expect(report.updates >= 2 * Self.rounds)
        #expect(try NodeEvidenceReport.of(mesh.members[1]).verified)
        try tamper(with: Tampering(folder: folder, mesh: mesh, scratch: scratch))
    }

    private func keepAll(_ member: TestMesh.Member) throws {
        var configuration = try member.directory.configuration()
        configuration.keepRounds = .all
        try Files.write(
            Array(try configuration.yaml.utf8),
            to: member.directory.path + "/" + NodeDirectory.configurationName)
    }

    private func verify(
        _ folder: String, pinned: Digest? = nil, complete: Bool = true
    ) throws -> EvidenceReport {
        try EvidenceVerifier(EvidenceFolder(folder), pinned: pinned, complete: complete).verify()
    }

    private func tamper(with tampering: Tampering) throws {
        for (name, expected, damage) in Tampering.all {
            let copy = tampering.scratch.file("copy")
            try? FileManager.default.removeItem(atPath: copy)
            try FileManager.default.copyItem(atPath: tampering.folder, toPath: copy)
            try damage(tampering, copy)
            let report = try verify(copy)
            #expect(!report.verified, "\(name) went unnoticed")
            let words = "\(report.place ?? ""): \(report.fault ?? "")"
            #expect(words.contains(try Regex(expected)), "\(name): \(words)")
        }
        // Without a pin, only what is inside the folder can be compared.
        let pin = tampering.mesh.rules.rosterDigest
        let report = try verify(tampering.folder, pinned: pin)
        #expect(report.place == "genesis.cbor")
        #expect(report.fault?.contains("another mesh") == true)
        #expect(try verify(tampering.folder, pinned: Digest(text: report.genesis)).verified)
    }
}

private enum NodeEvidenceReport {
    static func of(_ member: TestMesh.Member) throws -> EvidenceReport {
        try EvidenceVerifier(NodeEvidence(member.directory), complete: true).verify()
    }
}

/// Ways to change a folder of evidence, each with what must be said of it.
private struct Tampering {
    let folder: String
    let mesh: TestMesh
    let scratch: TemporaryDirectory

    typealias Damage = @Sendable (Tampering, String) throws -> Void

    static let all: [(String, String, Damage)] = [
        ("a byte of a header", "^certificates/3.cbor: ", { try $0.flipHeader(in: $1) }),
        (
            "a signature of a certificate", "^certificates/2.cbor: .*signature does not fit",
            { try $0.flipSignature(in: $1) }
        ),
        (
            "a certificate below the quorum", "^certificates/4.cbor: .*1 signatures, a quorum is 2",
            { try $0.dropVotes(in: $1) }
        ),
        (
            "another decision's final certificate", "^final/3.cbor: makes another decision final",
            { try $0.swap("final/3.cbor", "final/4.cbor", in: $1) }
        ),
        (
            "a byte of a final certificate", "^final/[345].cbor: ",
            { try Files.damage($1 + "/final/3.cbor", at: 200) }
        ),
        (
            "a missing decision", "^certificates/4.cbor: is missing",
            { try FileManager.default.removeItem(atPath: $1 + "/certificates/4.cbor") }
        ),
        (
            "two decisions in each other's place", "^certificates/3.cbor: .*of height 4",
            { try $0.swap("certificates/3.cbor", "certificates/4.cbor", in: $1) }
        ),
        (
            "a missing update", "^updates/3: .*'s signed update .* is missing",
            { try FileManager.default.removeItem(atPath: $0.first("updates/3", in: $1)) }
        ),
        (
            "an altered update", "^updates/3/.*: is none of the updates",
            { try Files.damage($0.first("updates/3", in: $1), at: 120) }
        ),
        (
            "updates of another round", "^updates/3/.*: is none of the updates",
            { try $0.swap("updates/3", "updates/4", in: $1) }
        ),
        (
            "a bit of a blob", "^blobs/.*: its content has the digest sha256:",
            { try Files.damage($0.first("blobs", in: $1), at: 200) }
        ),
        (
            "the blobs", "^blobs/.*: .*'s update of round 1 is not here",
            { try FileManager.default.removeItem(atPath: $1 + "/blobs") }
        ),
        (
            "another roster", "^genesis.cbor: not signed by ",
            { try $0.dropFounder(in: $1) }
        ),
        (
            "an aggregate that a whole quorum has signed falsely",
            "^certificates/6.cbor: names the aggregate sha256:.*; these updates give sha256:",
            { try $0.forge(\.aggregate, in: $1) }
        ),
        (
            "a model that a whole quorum has signed falsely",
            "^certificates/6.cbor: names the model sha256:.*; these updates give sha256:",
            { try $0.forge(\.model, in: $1) }
        ),
        (
            "a model that the run has not ended with", "^model.safetensors: is sha256:",
            { try Files.write([1, 2, 3], to: $1 + "/model.safetensors") }
        ),
    ]

    func first(_ directory: String, in copy: String) throws -> String {
        let names = try Files.names(in: copy + "/" + directory)
        return copy + "/" + directory + "/" + (try #require(names.first))
    }

    func swap(_ one: String, _ other: String, in copy: String) throws {
        let files = FileManager.default
        try files.moveItem(atPath: "\(copy)/\(one)", toPath: "\(copy)/swapped")
        try files.moveItem(atPath: "\(copy)/\(other)", toPath: "\(copy)/\(one)")
        try files.moveItem(atPath: "\(copy)/swapped", toPath: "\(copy)/\(other)")
    }

    private func change(
        _ height: Int, in copy: String, _ change: (CommitRecord) throws -> CommitRecord
    ) throws {
        let path = "\(copy)/certificates/\(height).cbor"
        let record = try CommitRecord(decoding: try Files.read(path))
        try Files.write(try change(record).encoded, to: path)
    }

    func flipHeader(in copy: String) throws {
        try change(3, in: copy) { record in
            var header = record.header
            header[header.count - 40] ^= 1
            return CommitRecord(
                header: header, body: record.body, certificate: record.certificate)
        }
    }

    func flipSignature(in copy: String) throws {
        try change(2, in: copy) { record in
            let votes = try record.certificate.map { vote in
                var bytes = vote.bytes
                bytes[bytes.count - 20] ^= 1
                return try SignedEnvelope(parsing: bytes)
            }
            return CommitRecord(header: record.header, body: record.body, certificate: votes)
        }
    }

    func dropVotes(in copy: String) throws {
        try change(4, in: copy) {
            CommitRecord(
                header: $0.header, body: $0.body, certificate: Array($0.certificate.prefix(1)))
        }
    }

    func dropFounder(in copy: String) throws {
        let path = copy + "/genesis.cbor"
        let document = try GenesisDocument(decoding: try Files.read(path))
        try Files.write(
            GenesisDocument(
                founding: document.founding, signatures: Array(document.signatures.dropLast())
            ).encoded, to: path)
    }

    /// All three nodes are traitors at the last height.
    func forge(_ field: WritableKeyPath<Header, Digest>, in copy: String) throws {
        // What made the true one final would contradict it before anything is computed.
        try FileManager.default.removeItem(atPath: copy + "/final")
        try change(6, in: copy) { record in
            var header = try Header(decoding: record.header)
            header[keyPath: field] = Sample.digest(9)
            let vote = Vote2(
                scope: mesh.rules.scope(height: 6, view: 0),
                value: SHA256.digest(of: header.encoded))
            return CommitRecord(
                header: header.encoded, body: record.body,
                certificate: mesh.members.map {
                    EnvelopeSigner($0.key).sign(.vote2, vote.payload)
                })
        }
    }
}
