import AegisCore
import AegisProtocol
import AegisStore
import AegisTransport
import Logging

/// Turns what happens to the protocol core into log lines and the status people see. A refusal of
/// one kind from one peer is logged once and counted after that.
struct EventLog: Sendable {
    let membership: MeshMembership
    let status: StatusBoard
    let logger: Logger

    func name(of node: NodeID) -> String { membership.name(of: node) }

    func record(_ event: Event) {
        switch event {
        case .refused(let peer, let refusal):
            refused(peer, "\(refusal)")
        case .updateHeld(let node, _, let round):
            logger.debug(
                "update held", metadata: ["from": "\(name(of: node))", "round": "\(round)"])
        case .peerAbstained(let node, _, let round, let reason):
            logger.info(
                "participant abstains",
                metadata: [
                    "participant": "\(name(of: node))", "round": "\(round)", "reason": "\(reason)",
                ])
        case .viewTimedOut(let height, let view, let coordinator):
            logger.notice(
                "coordinator gave no result in time",
                metadata: place(height, view, coordinator: coordinator))
        case .viewEntered(let height, let view, let coordinator) where view > 0:
            logger.notice(
                "coordinator elected", metadata: place(height, view, coordinator: coordinator))
        case .viewEntered(let height, let view, let coordinator):
            logger.debug("height begun", metadata: place(height, view, coordinator: coordinator))
        case .aggregateDiverged(let height, let view, let coordinator):
            logger.error(
                "the proposal names another aggregate than this node computed",
                metadata: place(height, view, coordinator: coordinator))
        case .accused(let node, let offence):
            logger.error(
                "two contradicting signatures: a traitor",
                metadata: ["participant": "\(name(of: node))", "offence": "\(offence)"])
        case .convicted(let node):
            logger.error(
                "convicted: coordinates nothing, its updates don't count",
                metadata: ["participant": "\(name(of: node))"])
        case .silenced(let height):
            logger.critical(
                "the journal lacks what this node signed: it signs nothing yet",
                metadata: ["through": "\(height)"])
        case .forked(let height):
            logger.critical(
                "the chain has forked: this node signs nothing more, the operators decide",
                metadata: [
                    "height": "\(height)", "reason": "one height has two certified values",
                ])
        case .computeFailed(let height, let reason):
            logger.error(
                "aggregation failed", metadata: ["height": "\(height)", "reason": "\(reason)"])
        default:
            progress(event)
        }
    }

    /// Logs a refusal the first time and counts it always.
    func refused(_ peer: NodeID, _ reason: String) {
        guard status.refused(name(of: peer), reason) else { return }
        logger.warning(
            "refused", metadata: ["peer": "\(name(of: peer))", "reason": "\(reason)"])
    }

    /// An update that did not arrive, and is asked for again. Whoever gave other bytes than were
    /// announced is refused; one that is away or slow is not.
    func transferFailed(_ request: FetchRequest, _ error: any Error) {
        let falsehoods = (error as? MeshClientError)?.falsehoods ?? []
        for (holder, reason) in falsehoods {
            refused(holder, "gave other bytes than announced: \(reason)")
        }
        guard falsehoods.isEmpty else { return }
        logger.info(
            "an update has not arrived yet",
            metadata: [
                "from": "\(name(of: request.statement.node))",
                "round": "\(request.statement.round)", "reason": "\(error)",
            ])
    }

    private func progress(_ event: Event) {
        switch event {
        case .commandPending(let sequence):
            logger.info("command received", metadata: ["sequence": "\(sequence)"])
        case .commandRefused(let sequence, let refusal):
            logger.warning(
                "command refused",
                metadata: ["sequence": "\(sequence)", "reason": "\(refusal)"])
        case .roundStarted(let run, let round):
            logger.info("round started", metadata: ["run": "\(run)", "round": "\(round)"])
        case .cutOff(let height, let view, let held, let isFinal):
            logger.debug(
                "stopped waiting for updates",
                metadata: [
                    "height": "\(height)", "view": "\(view)", "held": "\(held)",
                    "final": "\(isFinal)",
                ])
        case .proposed(let height, let view, let kind):
            logger.debug(
                "proposed",
                metadata: ["height": "\(height)", "view": "\(view)", "kind": "\(kind)"])
        case .committed(let height, let kind, let run, let round, let view):
            logger.info(
                "committed",
                metadata: [
                    "height": "\(height)", "view": "\(view)", "kind": "\(kind)",
                    "run": "\(run.map(\.description) ?? "-")", "round": "\(round)",
                ])
        case .runStarted(let run, let name):
            logger.info("run started", metadata: ["run": "\(run)", "name": "\(name)"])
        case .runEnded(let run, let outcome):
            logger.info("run ended", metadata: ["run": "\(run)", "outcome": "\(outcome)"])
        default: standing(event)
        }
    }

    /// Who is in the mesh, who takes part, and how firmly it stands.
    private func standing(_ event: Event) {
        switch event {
        case .leftOut(let node, _, let round):
            logger.info(
                "round decided without an update",
                metadata: ["participant": "\(name(of: node))", "round": "\(round)"])
        case .updateLate(let node, _, let round):
            _ = status.refused(name(of: node), "its update came too late for the round")
            logger.notice(
                "an update came too late: dropped",
                metadata: ["participant": "\(name(of: node))", "round": "\(round)"])
        case .demoted(let node):
            logger.warning(
                "no sign of a participant for long: it has no vote until it is promoted again",
                metadata: [
                    "participant": "\(name(of: node))",
                    "rounds": "\(ProtocolLimits.absentRoundsMax)",
                ])
        case .finalised(let finality):
            logger.debug(
                "final",
                metadata: [
                    "height": "\(finality.height)", "signatures": "\(finality.signatures)",
                    "resists": "\(finality.resists)",
                ])
        case .rosterChanged(let roster):
            logger.notice(
                "the members have changed",
                metadata: [
                    "epoch": "\(roster.epoch)", "participants": "\(roster.count)",
                    "others": "\(roster.associates.count)",
                ])
        case .adminChanged(let admin):
            logger.notice(
                "a quorum of the participants has made another key the admin's",
                metadata: ["admin": "\(admin)"])
        case .policyChanged(let policy):
            logger.notice(
                "a quorum of the participants has changed the policy",
                metadata: ["policy": "\(policy.words)"])
        case .votes(let isVoting):
            logger.notice(
                isVoting ? "this node votes from here on" : "this node votes no longer")
        case .catchingUp(let height, let seen):
            logger.notice(
                "catching up", metadata: ["height": "\(height)", "seen": "\(seen)"])
        default:
            break
        }
    }

    private func place(
        _ height: UInt64, _ view: UInt32, coordinator: NodeID
    ) -> Logger.Metadata {
        [
            "height": "\(height)", "view": "\(view)",
            "coordinator": "\(name(of: coordinator))",
        ]
    }
}

extension MeshClientError {
    /// Who answered with bytes that are not what was asked for.
    fileprivate var falsehoods: [(holder: NodeID, reason: String)] {
        switch self {
        case .noHolder(_, let failures): failures.flatMap(\.falsehoods)
        case .blob(let node, .digestMismatch(let expected, let actual)):
            [(node, "digestMismatch(expected: \(expected), actual: \(actual))")]
        case .blob(let node, .wrongSize(let expected, let actual)):
            [(node, "wrongSize(expected: \(expected), actual: \(actual))")]
        case .malformedResponse(let node, let reason): [(node, reason)]
        default: []
        }
    }
}
