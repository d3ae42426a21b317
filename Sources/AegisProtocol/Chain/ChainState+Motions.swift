package import AegisCore

// What participants want without the admin, and who has said so (PROTOCOL.md §2.10, §4.4, §4.5).
extension ChainState {
    /// Who has given its word for `motion`, of those who decide now; the words count that are not
    /// too old.
    package func words(for motion: Motion, at time: UInt64) -> [NodeID] {
        words.filter {
            $0.motion.agrees(with: motion) && !$0.isStale(at: time) && roster.contains($0.node)
                && !convicted.contains($0.node)
        }.map(\.node)
    }

    /// The motions that somebody has given its word for, in the order of their first words.
    package func motions(at time: UInt64) -> [(motion: Motion, words: [NodeID])] {
        var result: [(motion: Motion, words: [NodeID])] = []
        for word in words where !result.contains(where: { $0.motion.agrees(with: word.motion) }) {
            let words = words(for: word.motion, at: time)
            if !words.isEmpty { result.append((word.motion, words)) }
        }
        return result
    }

    private func isCarried(_ motion: Motion, at time: UInt64) -> Bool {
        words(for: motion, at: time).count
            >= (breaches.contains(.motionByFew) ? roster.faultTolerance + 1 : roster.quorum)
    }

    /// Why this word counts for nothing. A motion for what can't be made now isn't kept for later.
    func refusal(of motion: Motion, by node: NodeID, at time: UInt64) -> MembershipRefusal? {
        guard roster.contains(node) else { return .notAParticipant(node) }
        guard !convicted.contains(node) else { return .convicted(node) }
        switch motion {
        case .admin(let replacement):
            guard replacement.old == admin else { return .notTheAdmin(replacement.old) }
            if let refusal = refusalOfNewKey(replacement.new) { return refusal }
        case .policy(let wanted): guard wanted != policy else { return .noChange }
        case .change(let change):
            if let refusal = refusal(of: change, at: time, byQuorum: true) { return refusal }
        }
        let others = words.count {
            $0.node == node && $0.motion.subject != motion.subject && !$0.isStale(at: time)
        }
        guard others < ProtocolLimits.wordsMax else { return .tooManyWords }
        // Where the roster has shrunk since, a repeated word may be the one that was missing.
        let isRepeated = words(for: motion, at: time).contains(node)
        return isRepeated && !isCarried(motion, at: time) ? .noChange : nil
    }

    /// The word of a participant that wasn't refused. The last that was missing carries the motion.
    mutating func note(_ motion: Motion, by node: NodeID, at time: UInt64) {
        words.removeAll {
            $0.node == node && $0.motion.subject == motion.subject || $0.isStale(at: time)
        }
        words.append(MotionWord(node: node, motion: motion, givenAt: time))
        guard isCarried(motion, at: time) else { return }
        switch motion {
        case .admin(let replacement): replaceAdmin(by: replacement.new)
        case .policy(let wanted):
            policy = wanted
            if roster.strictThree != wanted.strictThree {
                alter(roster.strict(wanted.strictThree))
            }
        case .change(let change): return apply(change, at: time)
        }
        settle(motion.subject, at: time)
    }

    mutating func forget(_ motion: Motion, by node: NodeID) {
        words.removeAll { $0.node == node && $0.motion.agrees(with: motion) }
    }

    /// Words for what has come about, or can't any more, are over: they don't count another time.
    mutating func settle(_ subject: Motion.Subject, at time: UInt64) {
        let state = self
        words.removeAll { $0.motion.subject == subject && state.isMoot($0.motion, at: time) }
    }

    /// Whether what it wants has come about, or can't any more.
    package func isMoot(_ motion: Motion, at time: UInt64) -> Bool {
        switch motion {
        case .admin(let replacement): replacement.old != admin
        case .policy(let wanted): wanted == policy
        case .change(let change):
            refusal(of: change, at: time, byQuorum: true).map { !$0.isTransient } ?? false
        }
    }

    /// Nothing that the old admin let happen goes on: its tokens are gone, its audit log has no
    /// successor.
    private mutating func replaceAdmin(by node: NodeID) {
        retire(admin)
        admin = node
        tokens = []
        auditHead = nil
    }
}
