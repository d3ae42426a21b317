import AegisAPI
import AegisCore
import AegisCrypto
import AegisNode
import AegisProtocol
import AegisTransport
import Testing

/// A statement that a node must not take, and what it must say of it.
private struct BadStatement: Sendable {
    /// Part of the reason.
    let reason: @Sendable (Rogue) -> String
    let make: @Sendable (Rogue, ActiveRun) throws -> [UInt8]

    init(
        _ reason: @autoclosure @escaping @Sendable () -> String,
        _ make: @escaping @Sendable (Rogue, ActiveRun) throws -> [UInt8]
    ) {
        self.reason = { _ in reason() }
        self.make = make
    }

    init(
        of reason: @escaping @Sendable (Rogue) -> String,
        _ make: @escaping @Sendable (Rogue, ActiveRun) throws -> [UInt8]
    ) {
        self.reason = reason
        self.make = make
    }

    /// Of no roster.
    private static let stranger = EnvelopeSigner(.generate())

    static let all: [BadStatement] = [
        // One bit of the payload, then one of the signature.
        BadStatement("EnvelopeRefusal.badSignature(") { rogue, run in
            var bytes = rogue.update(try rogue.blob(goodValues()), of: run).bytes
            bytes[bytes.count - 67] ^= 1
            return bytes
        },
        BadStatement("EnvelopeRefusal.badSignature(") { rogue, run in
            var bytes = rogue.update(try rogue.blob(goodValues()), of: run).bytes
            bytes[bytes.count - 1] ^= 1
            return bytes
        },
        BadStatement("EnvelopeRefusal.foreignMesh") { rogue, run in
            rogue.update(try rogue.blob(goodValues()), of: run) { $0.mesh = Sample.mesh(99) }
                .bytes
        },
        BadStatement("UpdateRefusal.wrongBase") { rogue, run in
            rogue.update(try rogue.blob(goodValues()), of: run) { $0.base = Sample.digest(1) }
                .bytes
        },
        BadStatement("UpdateRefusal.expired") { rogue, run in
            rogue.update(try rogue.blob(goodValues()), of: run) { $0.expiresAt = 1 }.bytes
        },
        BadStatement("UpdateRefusal.notAsDeclared") { rogue, run in
            rogue.update(try rogue.blob(goodValues()), of: run) {
                $0.specification.training.localSteps += 1
            }.bytes
        },
        BadStatement("UpdateRefusal.signerIsNot(") { rogue, run in
            rogue.update(try rogue.blob(goodValues()), of: run) {
                $0.node = rogue.mesh.members[0].node
            }.bytes
        },
        BadStatement("EnvelopeRefusal.notAParticipant(") { rogue, run in
            rogue.update(
                try rogue.blob(goodValues()), of: run, by: stranger
            ).bytes
        },
        BadStatement("notTheAdmin(") { rogue, run in
            rogue.mesh.command(
                .stop(run.specification.run, reason: "mine"), sequence: 9,
                by: rogue.member.key
            ).bytes
        },
        // The admin's own command, changed on the way.
        BadStatement(of: { "badSignature(\($0.mesh.admin.publicKey))" }) { rogue, run in
            var bytes = rogue.mesh.command(
                .stop(run.specification.run, reason: "ours"), sequence: 9
            ).bytes
            bytes[bytes.count - 67] ^= 1
            return bytes
        },
        BadStatement("unexpected(") { rogue, _ in
            rogue.signer.sign(.hello, [1]).bytes
        },
        BadStatement("EnvelopeRefusal.malformed(") { rogue, _ in
            rogue.signer.sign(.vote1, [1, 2, 3]).bytes
        },
        BadStatement("assembly(") { _, _ in Array("garbage".utf8) },
        BadStatement("notASignedEnvelope") { _, _ in [0xd2, 0x80] },
    ]
}

@Suite("Statements of a participant that doesn't keep to the rules")
struct RogueStatementTests {
    private static let rounds = 4

    @Test("each is refused with its reason, is logged once and counted, and the run goes on")
    func badStatements() async throws {
        let mesh = try TestMesh(members: 4)
        let rogue = try await Rogue(mesh.members[3], in: mesh)
        try await withNodes(mesh, mesh.members.prefix(3)) { nodes, admin in
            let specification = Sample.specification(
                rounds: Self.rounds, softMilliseconds: 800)
            try await admin.post(mesh.command(.start(specification)), to: nodes)
            try await provokeAll(rogue, nodes, admin)
            try await checkMalformedBatch(rogue, nodes, admin)
            let statuses = try await admin.finished(nodes, rounds: Self.rounds)
            expectSameModels(statuses, rounds: Self.rounds)
            for (status, node) in zip(statuses, nodes) { check(status, node.log, rogue) }
        }
        await rogue.stop()
    }

    /// Sends all of them twice in a round, until every node has refused each.
    private func provokeAll(
        _ rogue: Rogue, _ nodes: [LiveNode], _ admin: AdminClient
    ) async throws {
        var round = 0
        try await eventually("every node refuses every statement") {
            if let run = try await rogue.activeRun(), run.round > round {
                round = run.round
                let statements = try BadStatement.all.map { try $0.make(rogue, run) }
                try await rogue.send(statements + statements)
            }
            return try await admin.statuses(of: nodes).allSatisfy { status in
                BadStatement.all.allSatisfy { statement in
                    status.refusals.contains { $0.reason.contains(statement.reason(rogue)) }
                }
            }
        }
    }

    /// A body that is no batch is answered so, and counted like a bad statement.
    private func checkMalformedBatch(
        _ rogue: Rogue, _ nodes: [LiveNode], _ admin: AdminClient
    ) async throws {
        let tooMany = StatementBatch.encode(Array(repeating: [1], count: 300))
        for (body, status) in [
            (Array("garbage".utf8), 400), (Array("garbage".utf8), 400), (tooMany, 413),
            (tooMany, 413),
        ] {
            for node in nodes {
                do throws(MeshClientError) {
                    _ = try await rogue.client.post(
                        "/mesh/v1/statements", body: body, to: node.member.node)
                    Issue.record("it was taken")
                } catch {
                    guard case .status(_, status, _) = error else {
                        Issue.record("\(error)")
                        continue
                    }
                }
            }
        }
        for status in try await admin.statuses(of: nodes) {
            let refusals = status.refusals.filter { $0.reason.hasPrefix("batch: ") }
            #expect(refusals.map(\.count) == [2, 2], "\(refusals)")
        }
    }

    private func check(_ status: NodeStatus, _ log: LogRecorder, _ rogue: Rogue) {
        let name = rogue.member.name
        #expect(Set(status.faults.map(\.peer)) == [name])
        #expect(Set(status.faults.map(\.reason)).count == status.faults.count)
        for refusal in status.faults {
            #expect(refusal.count >= 2, "\(refusal)")
            #expect(log.refusals(of: name, reason: refusal.reason) == 1, "\(refusal)")
        }
        #expect(status.rounds.allSatisfy { !$0.participants.contains(rogue.member.node.text) })
    }

    @Test("an update of an earlier round, sent again, counts for nothing")
    func replay() async throws {
        let mesh = try TestMesh(members: 4)
        let rogue = try await Rogue(mesh.members[3], in: mesh)
        try await withNodes(mesh, mesh.members.prefix(3)) { nodes, admin in
            let specification = Sample.specification(rounds: 3, softMilliseconds: 800)
            try await admin.post(mesh.command(.start(specification)), to: nodes)
            // A good update first: what the rogue makes is taken where it keeps to the rules.
            let first = try await awaited("the run begins") { try await rogue.activeRun() }
            let update = rogue.update(try rogue.blob(goodValues()), of: first)
            try await rogue.send([update.bytes])
            var round = first.round
            try await eventually("the run ends") {
                if let run = try await rogue.activeRun(), run.round > round {
                    round = run.round
                    try await rogue.send([update.bytes, update.bytes])
                }
                return try await admin.statuses(of: nodes).allSatisfy { $0.rounds.count == 3 }
            }
            #expect(round > first.round)
            let statuses = try await admin.finished(nodes, rounds: 3)
            expectSameModels(statuses, rounds: 3)
            for status in statuses {
                let counted = status.rounds.filter {
                    $0.participants.contains(rogue.member.node.text)
                }
                #expect(counted.map(\.round) == [first.round])
                // A round late it could be a straggler's, and is passed over; two rounds late it
                // is refused, by name.
                #expect(
                    status.refusals.contains {
                        $0.peer == rogue.member.name && $0.reason.contains("pastRound(1)")
                    })
                #expect(status.faults == [])
            }
        }
        await rogue.stop()
    }

    @Test("a command that the admin didn't sign starts nothing")
    func foreignCommand() async throws {
        let mesh = try TestMesh(members: 4)
        let rogue = try await Rogue(mesh.members[3], in: mesh)
        try await withNodes(mesh, mesh.members.prefix(3)) { nodes, admin in
            let mine = mesh.command(
                .start(Sample.specification(run: Sample.run(66))), by: rogue.member.key)
            try await rogue.send([mine.bytes])
            try await eventually("every node refuses it") {
                try await admin.statuses(of: nodes).allSatisfy { status in
                    status.refusals.contains {
                        $0.peer == rogue.member.name && $0.reason.contains("notTheAdmin(")
                    }
                }
            }
            // The admin's may come from anybody: it is the signature that counts.
            let specification = Sample.specification(rounds: 1, softMilliseconds: 300)
            try await rogue.send([mesh.command(.start(specification)).bytes])
            let statuses = try await admin.finished(nodes, rounds: 1)
            for status in statuses {
                #expect(status.rounds.map(\.run) == [Sample.run().description])
            }
        }
        await rogue.stop()
    }
}
