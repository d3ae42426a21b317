import AegisCore
import AegisProtocol

// For transcripts.
extension SigningSlot {
    var words: String {
        switch self {
        case .update(_, let round): "update of round \(round)"
        case .abstention(_, let round): "abstention from round \(round)"
        case .haveList(let height, let view, let sequence): "list \(height)/\(view) #\(sequence)"
        case .proposal(let height, let view): "proposal \(height)/\(view)"
        case .vote1(let height, let view): "vote1 \(height)/\(view)"
        case .vote2(let height, let view): "vote2 \(height)/\(view)"
        case .timeout(let height, let view): "timeout \(height)/\(view)"
        case .readiness(let height): "readiness at \(height)"
        case .coSign(let height): "co-signature of \(height)"
        }
    }
}

extension Simulation {
    /// What matters of a payload.
    func words(_ slot: SigningSlot, _ payload: [UInt8]) -> String {
        guard isRecording else { return "" }
        switch slot {
        case .update, .abstention, .readiness: return ""
        case .haveList:
            guard let list = try? HaveList(payload: payload) else { return "" }
            let members = list.members.map { "\($0.index)" }.joined(separator: ",")
            return "of [\(members)]" + (list.isFinal ? " final" : "")
                + (list.commands.isEmpty ? "" : " and \(list.commands.count) commands")
        case .proposal:
            guard let proposal = try? Proposal(payload: payload) else { return "" }
            return "for \(cryptography.digest(proposal.header).short)"
        case .vote1: return (try? Vote1(payload: payload)).map { "for \($0.value.short)" } ?? ""
        case .coSign: return (try? CoSign(payload: payload)).map { "for \($0.value.short)" } ?? ""
        case .vote2: return (try? Vote2(payload: payload)).map { "for \($0.value.short)" } ?? ""
        case .timeout:
            guard let highest = (try? Timeout(payload: payload))?.highest else { return "" }
            return "knowing \(highest.view) \(highest.value.short)"
        }
    }
}

extension Event {
    var words: String {
        switch self {
        case .refused(let sender, let refusal): "refuses from \(sender.short): \(refusal)"
        case .commandPending(let sequence): "takes up command \(sequence)"
        case .commandRefused(let sequence, let refusal): "refuses command \(sequence): \(refusal)"
        case .roundStarted(_, let round): "trains round \(round)"
        case .updateHeld(let node, _, let round): "holds \(node.short)'s update of round \(round)"
        case .peerAbstained(let node, _, let round, _): "hears \(node.short) skips round \(round)"
        case .cutOff(let height, let view, let held, let isFinal):
            "cuts off at \(height)/\(view) with \(held)" + (isFinal ? ", final" : "")
        case .proposed(let height, let view, let kind): "proposes a \(kind) at \(height)/\(view)"
        case .viewTimedOut(let height, let view, _): "gives up \(height)/\(view)"
        case .viewEntered(let height, let view, let coordinator):
            "enters \(height)/\(view) under \(coordinator.short)"
        case .aggregateDiverged(let height, let view, _): "computes otherwise at \(height)/\(view)"
        case .computeFailed(let height, let reason): "can't compute at \(height): \(reason)"
        case .committed(let height, let kind, _, let round, let view):
            "commits height \(height): \(kind)" + (round > 0 ? " of round \(round)" : "")
                + ", view \(view)"
        case .finalised(let finality):
            "sees height \(finality.height) final: \(finality.signatures) of "
                + "\(finality.participants)"
        case .leftOut(let node, _, let round): "closes round \(round) without \(node.short)"
        case .updateLate(let node, _, let round):
            "drops \(node.short)'s late update of round \(round)"
        case .demoted(let node): "sees \(node.short) demoted"
        case .runStarted(_, let name): "starts run \(name)"
        case .runEnded(_, let outcome): "ends the run: \(outcome)"
        case .catchingUp(let height, let seen): "at \(height), asks for \(seen)"
        case .accused(let node, let offence): "accuses \(node.short) of \(offence)"
        case .convicted(let node): "sees \(node.short) convicted"
        case .rosterChanged(let roster):
            "has roster \(roster.epoch): " + roster.entries.map(\.name).joined(separator: " ")
                + (roster.associates.isEmpty
                    ? ""
                    : "; without vote: "
                        + roster.associates.map { "\($0.entry.name) (\($0.standing))" }
                        .joined(separator: " "))
        case .adminChanged(let admin): "has another admin, \(admin.short)"
        case .policyChanged(let policy):
            "holds itself to another policy: \(policy.words)"
        case .votes(let isVoting): isVoting ? "votes from here on" : "votes no longer"
        case .silenced(let height): "signs nothing through height \(height)"
        case .forked(let height): "sees a fork at \(height)"
        }
    }
}
