package import AegisCore

// In people's words: what a motion would do.
extension Motion {
    /// `roster` has the names of the members that it is about.
    package func words(in roster: Roster) -> String {
        switch self {
        case .admin(let replacement): "make \(replacement.new) the admin"
        case .policy(let policy): "policy: \(policy.words)"
        case .change(let change): change.words(in: roster)
        }
    }
}

/// A motion and who is for it, for people to read.
package struct OpenMotion: Hashable, Sendable {
    /// How the digest of what is to be decided begins: eight hexadecimal digits.
    package let id: String
    package let motion: Motion
    package let text: String
    /// The names of those who have given their word.
    package let words: [String]
    /// How many it takes.
    package let quorum: Int
}

extension MeshRules {
    package func open(_ motion: Motion, in state: ChainState) -> OpenMotion {
        OpenMotion(
            id: cryptography.digest(motion.encoded).short, motion: motion,
            text: motion.words(in: state.roster),
            words: state.words(for: motion, at: state.committedTime).map {
                state.roster.name(of: $0) ?? $0.short
            }, quorum: state.roster.quorum)
    }

    /// Those that somebody has given its word for, in the order of their first words.
    package func openMotions(in state: ChainState) -> [OpenMotion] {
        state.motions(at: state.committedTime).map { open($0.motion, in: state) }
    }
}

extension MeshPolicy {
    package var words: String {
        "views of \(viewTimeoutMilliseconds) ms, "
            + "\(strictThree ? "all" : "two") of three decide, "
            + "one eviction by the admin in \(removalIntervalMilliseconds / 1_000) s"
    }
}

extension MembershipChange {
    fileprivate func words(in roster: Roster) -> String {
        func name(_ node: NodeID) -> String { roster.name(of: node) ?? node.short }
        func because(_ reason: String) -> String { reason.isEmpty ? "" : " (\(reason))" }
        return switch self {
        case .grantToken(let grant):
            "let in \(grant.name.isEmpty ? "\(grant.usesMax)" : grant.name) with token "
                + Hexadecimal.encode(grant.tokenID)
                + (grant.purpose == .observer ? ", to observe" : "")
        case .revokeToken(let token): "revoke token \(Hexadecimal.encode(token))"
        case .promote(let node): "promote \(name(node))"
        case .suspend(let node, let reason): "suspend \(name(node))\(because(reason))"
        case .resume(let node): "resume \(name(node))"
        case .evict(let node, let reason): "evict \(name(node))\(because(reason))"
        case .leave(let node): "\(name(node)) leaves"
        case .ready(let node, let height, _): "\(name(node)) follows at height \(height)"
        case .moveAddress(let node, let address): "\(name(node)) moves to \(address)"
        case .join(let request, _): "\(request.name) joins"
        case .rotateKey(let replacement), .replaceLostKey(let replacement):
            "another key for \(name(replacement.old))"
        case .word(let node, let motion): "\(name(node)) wants: \(motion.words(in: roster))"
        case .withdraw(let node, let motion):
            "\(name(node)) no longer wants: \(motion.words(in: roster))"
        }
    }
}
