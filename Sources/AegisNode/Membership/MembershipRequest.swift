package import AegisCore
package import AegisCrypto
import AegisIdentity
package import AegisProtocol
import AegisTransport

/// What a member asks of the mesh for itself, signed, and what came of it.
package struct MembershipRequest: Sendable {
    package enum Outcome: Sendable {
        case open
        case done
        /// For good, as far as this chain goes.
        case refused(CommandRefusal)
    }

    package let envelope: SignedEnvelope
    package let change: MembershipChange
    private let command: Command

    package init(_ change: MembershipChange, mesh: MeshID, by identity: IdentityKey) throws {
        let command = Command(
            mesh: mesh, sequence: 0, expiresAt: UInt64(Int64.max), action: .membership(change))
        // What doesn't fit a command would reach nobody.
        guard (try? Command(payload: command.payload)) == command else {
            throw NodeError.membershipRefused("a reason, a name or a number in it is too large")
        }
        self.command = command
        self.change = change
        envelope = EnvelopeSigner(identity).sign(.command, command.payload)
    }

    /// One that was left on the disk.
    package init(_ envelope: SignedEnvelope) throws {
        guard let verified = Libsodium().verify(envelope) else {
            throw NodeError.membershipRefused("its signature is not valid")
        }
        command = try Command(payload: verified.payload)
        guard case .membership(let change) = command.action else {
            throw NodeError.membershipRefused("it is about no member")
        }
        self.change = change
        self.envelope = envelope
    }

    package func outcome(in chain: ChainState, mesh: MeshID) -> Outcome {
        if isDone(in: chain) { return .done }
        guard let refusal = refusal(in: chain, mesh: mesh), !refusal.isTransient else {
            return .open
        }
        return .refused(refusal)
    }

    /// As it stands now: what may pass with another decision is a refusal too.
    func refusal(in chain: ChainState, mesh: MeshID) -> CommandRefusal? {
        chain.refusal(of: command, mesh: mesh, at: MachineClock.wallMilliseconds)
    }

    private func isDone(in chain: ChainState) -> Bool {
        switch change {
        case .leave(let node): chain.roster.member(node) == nil
        case .moveAddress(let node, let address): chain.roster.member(node)?.address == address
        case .word(let node, let motion):
            chain.words(for: motion, at: chain.committedTime).contains(node)
                || chain.isMoot(motion, at: chain.committedTime)
        case .withdraw(let node, let motion):
            !chain.words(for: motion, at: chain.committedTime).contains(node)
        default: false
        }
    }
}
