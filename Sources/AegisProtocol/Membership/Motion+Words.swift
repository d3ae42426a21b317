package import AegisCore

// In people's words: what a motion would do.
extension Motion {
    /// With the names of the members that it is about, and what it would change.
    package func words(in state: ChainState) -> String {
        switch self {
        case .admin(let replacement): "make \(replacement.new) the admin"
        case .policy(let policy): "policy: \(policy.words(after: state.policy))"
        case .change(let change): change.words(in: state.roster)
        }
    }
}

/// A motion and who is for it, for people to read.
package struct OpenMotion: Hashable, Sendable {
    /// How the digest of what is to be decided begins: sixteen hexadecimal digits, so that nobody
    /// finds another motion for an id that was told.
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
            id: String(cryptography.digest(motion.encoded).hexadecimal.prefix(16)),
            motion: motion,
            text: motion.words(in: state),
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
    /// The whole of it.
    package var words: String {
        parts.map { "\($0.name) \($0.value)" }.joined(separator: ", ")
    }

    /// What differs.
    func words(after before: MeshPolicy) -> String {
        let changes = zip(parts, before.parts).filter { $0.value != $1.value }.map {
            "\($0.name) \($0.value) (now \($1.value))"
        }
        return changes.isEmpty ? "as it is" : changes.joined(separator: ", ")
    }

    private var parts: [(name: String, value: String)] {
        [
            ("view timeout", Self.span(viewTimeoutMilliseconds)),
            ("quorum of three", strictThree ? "3" : "2"),
            ("eviction interval", Self.span(removalIntervalMilliseconds)),
        ]
    }

    private static func span(_ milliseconds: UInt64) -> String {
        for (unit, name) in [(3_600_000, "h"), (60_000, "min"), (1_000, "s")] as [(UInt64, String)]
        where milliseconds >= unit && milliseconds.isMultiple(of: unit) {
            return "\(milliseconds / unit) \(name)"
        }
        return "\(milliseconds) ms"
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
        case .word(let node, _): "a word of \(name(node))"
        case .withdraw(let node, _): "a word that \(name(node)) takes back"
        }
    }
}
