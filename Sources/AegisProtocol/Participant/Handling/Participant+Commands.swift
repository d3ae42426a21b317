import AegisCore

// Commands of the admin: taken up, spread, and put into the next value.
extension Participant {
    mutating func receivedCommand(_ envelope: SignedEnvelope) throws(Refusal) {
        guard envelope.sender == rules.admin else { throw .notTheAdmin(envelope.sender) }
        let digest = rules.cryptography.digest(envelope.bytes)
        guard !commands.contains(where: { $0.digest == digest }) else { return }
        let signed: SignedCommand
        do { signed = try rules.open(command: envelope, using: &opener) } catch {
            throw .envelope(error)
        }
        guard signed.command.mesh == rules.mesh else { throw .envelope(.foreignMesh) }
        let sequence = signed.command.sequence
        guard sequence > chain.lastCommandSequence else { return }
        guard commands.count < ProtocolLimits.commandsMax else { throw .tooMany }
        switch refusal(of: signed) {
        case nil, .anotherRunIsActive, .noSuchRun:
            // The last two may change with what is decided before it.
            commands.append(signed)
            commands.sort { $0.command.sequence < $1.command.sequence }
            observe(.commandPending(sequence: sequence))
            send([.signed(envelope)], to: others)
            considerCommandTimer()
        case .some(let refusal): observe(.commandRefused(sequence: sequence, refusal))
        }
    }

    private func refusal(of command: SignedCommand) -> CommandRefusal? {
        chain.refusal(
            of: command.command, mesh: rules.mesh, roster: rules.roster, at: presentTime)
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
            case nil, .anotherRunIsActive, .noSuchRun: left.append(signed)
            case .sequenceNotGrowing: break
            case .some(let refusal):
                observe(.commandRefused(sequence: signed.command.sequence, refusal))
            }
        }
        commands = left
    }
}
