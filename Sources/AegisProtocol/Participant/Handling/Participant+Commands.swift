import AegisCore

// Commands, of the admin and of nodes about themselves: taken up, spread, put into the next value.
extension Participant {
    mutating func receivedCommand(_ envelope: SignedEnvelope) throws(Refusal) {
        let digest = rules.cryptography.digest(envelope.bytes)
        guard !commands.contains(where: { $0.digest == digest }) else { return }
        let signed: SignedCommand
        do { signed = try rules.open(command: envelope, using: &opener) } catch {
            if case .notTheAuthor(let sender) = error { throw .notTheAdmin(sender) }
            throw .envelope(error)
        }
        guard signed.command.mesh == rules.mesh else { throw .envelope(.foreignMesh) }
        let sequence = signed.command.sequence
        guard !signed.command.isOfTheAdmin || sequence > chain.lastCommandSequence else { return }
        if let refusal = refusal(of: signed), !refusal.isTransient {
            return observe(.commandRefused(sequence: sequence, refusal))
        }
        guard mayKeep(signed) else { throw .tooMany }
        commands.append(signed)
        commands.sort { $0.precedes($1) }
        observe(.commandPending(sequence: sequence))
        send([.signed(envelope)], to: others)
        considerCommandTimer()
    }

    /// One of each node, and of a token as many as may use it; half of the room is the admin's.
    private func mayKeep(_ new: SignedCommand) -> Bool {
        guard !new.command.isOfTheAdmin else {
            return commands.count < ProtocolLimits.commandsMax
        }
        guard commands.count < ProtocolLimits.commandsMax / 2 else { return false }
        if let older = commands.firstIndex(where: { $0.envelope.sender == new.envelope.sender }) {
            // A newer proof of readiness serves as well as the one that waits.
            return commands[older].command.action.isReadiness
                == new.command.action.isReadiness ? false : true
        }
        guard case .membership(.join(let request, _)) = new.command.action else { return true }
        let waiting = commands.count {
            guard case .membership(.join(let other, _)) = $0.command.action else { return false }
            return other.tokenID == request.tokenID
        }
        return waiting < (chain.granted(request.tokenID)?.grant.usesMax ?? 0)
    }

    private func refusal(of command: SignedCommand) -> CommandRefusal? {
        chain.refusal(of: command.command, mesh: rules.mesh, at: presentTime)
    }

    /// What the next committed time may be, by this node's clock.
    private var presentTime: UInt64 { max(chain.committedTime + 1, wallTime) }

    /// What a HaveList names: commands that could be decided now, oldest first.
    var applicableCommands: [SignedCommand] {
        commands.isEmpty ? [] : rules.applicable(commands, after: chain, at: presentTime)
    }

    /// Evidence goes with whatever is decided next; without a run that is a value of its own.
    var isEvidenceWaiting: Bool { !evidence.isEmpty && chain.active == nil }

    mutating func considerCommandTimer() {
        guard !isCommandDue, timers[.command] == nil,
            !applicableCommands.isEmpty || isEvidenceWaiting
        else { return }
        startTimer(
            .command,
            after: chain.active == nil
                ? configuration.timing.commandDelay : configuration.timing.commandDelayInRun)
    }

    /// After a commit. What is still to be decided keeps its timer, or is due at once: else heights
    /// that are shorter than the delay would put it off for ever.
    mutating func resetCommands() {
        dropDeadCommands()
        if applicableCommands.isEmpty, !isEvidenceWaiting {
            isCommandDue = false
            cancelTimer(.command)
        }
        considerCommandTimer()
    }

    /// Those that can never be decided any more go.
    mutating func dropDeadCommands() {
        var left: [SignedCommand] = []
        for signed in commands {
            switch refusal(of: signed) {
            case nil: left.append(signed)
            case .sequenceNotGrowing, .membership(.noChange), .membership(.alreadyAMember): break
            case .some(let refusal) where refusal.isTransient: left.append(signed)
            case .some(let refusal):
                observe(.commandRefused(sequence: signed.command.sequence, refusal))
            }
        }
        commands = left
    }
}

extension Command.Action {
    fileprivate var isReadiness: Bool {
        if case .membership(.ready) = self { true } else { false }
    }
}
