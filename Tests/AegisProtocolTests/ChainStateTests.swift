import AegisCore
import AegisProtocol
import AegisSimulation
import Testing

@Suite("What commits decide (PROTOCOL.md §2.2, §2.5)")
struct ChainStateTests {
    private func started(rounds: Int = 2) throws -> (Stage, ChainState) {
        var stage = try Stage(4)
        try stage.startRun(rounds: rounds)
        return (stage, stage.participants[0].chain)
    }

    private func refusal(
        _ action: Command.Action, sequence: UInt64 = 2, expiresAt: UInt64 = .max
    ) throws -> CommandRefusal? {
        let (stage, chain) = try started()
        let command = Command(
            mesh: stage.rules.mesh, sequence: sequence, expiresAt: expiresAt, action: action)
        return chain.refusal(
            of: command, mesh: stage.rules.mesh, at: chain.committedTime + 1)
    }

    @Test("a command's number grows, it has not expired, and one run is active at a time")
    func commands() throws {
        let run = try Stage.run()
        let stop = Command.Action.stop(run, reason: "")
        #expect(try refusal(stop) == nil)
        #expect(try refusal(stop, sequence: 1) == .sequenceNotGrowing(last: 1))
        #expect(try refusal(stop, expiresAt: 1) == .expired)
        #expect(try refusal(.stop(try Stage.run(8), reason: "")) == .noSuchRun)
        let other = Stage.specification(try Stage.run(8))
        #expect(try refusal(.start(other)) == .anotherRunIsActive(run))
    }

    @Test(
        "the audit log's head is witnessed in the middle of a run, and only a longer log after it")
    func witness() throws {
        var (stage, _) = try started()
        let head = AuditHead(records: 7, digest: stage.rules.cryptography.digest([7]))
        stage.messages.removeAll { $0.statement.isOf(.update) }
        stage.command(.witness(head), sequence: 2)
        for index in 0..<4 { try stage.elapse(.command, at: index) }
        stage.deliver()
        let chain = stage.participants[0].chain
        #expect(chain.auditHead == head)
        #expect(chain.active?.round == 1)
        for records in UInt64(6)...8 {
            let command = Command(
                mesh: stage.rules.mesh, sequence: 3, expiresAt: .max,
                action: .witness(AuditHead(records: records, digest: .zero)))
            // As it crosses the network.
            let refusal = chain.refusal(
                of: try Command(payload: command.payload), mesh: stage.rules.mesh, at: 0)
            #expect(refusal == (records > 7 ? nil : .auditHeadNotGrowing(last: 7)))
        }
    }

    @Test("a run that one fault would stop is refused: m must not exceed n − f")
    func tooManyUpdates() throws {
        let stage = try Stage(4)
        let command = Command(
            mesh: stage.rules.mesh, sequence: 1, expiresAt: .max,
            action: .start(Stage.specification(try Stage.run(), participantsMin: 4)))
        let refusal = stage.rules.initialState.refusal(
            of: command, mesh: stage.rules.mesh, at: 0)
        #expect(refusal == .tooManyUpdatesNeeded(4, available: 3))
    }

    @Test("three skips in a row pause a run, and nobody trains twice for them (§2.5)")
    func skips() throws {
        var stage = try Stage(4)
        stage.isAbstaining = true
        try stage.startRun(participantsMin: 3)
        stage.deliver()
        for height in UInt64(2)...4 {
            for index in 0..<4 { try stage.elapse(.hardDeadline, at: index) }
            stage.deliver()
            #expect(stage.participants[0].chain.height == height)
        }
        let finished = try #require(stage.participants[0].chain.finished.first)
        #expect(finished.outcome == .paused)
        #expect(finished.rounds == 0)
        let trainings = stage.effects[0].count { if case .train = $0 { true } else { false } }
        #expect(trainings == 1)
    }
}
