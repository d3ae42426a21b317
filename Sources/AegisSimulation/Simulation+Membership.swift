import AegisCore
import AegisProtocol

/// A change of the membership that somebody wants, asked for until it is made or can't be any more.
struct Wish {
    enum Kind {
        case grant(Int)
        case join(Int)
        case promote(Int)
        case leave(Int)
        case evict(Int)
        case suspend(Int)
        case resume(Int)
        case rotate(Int)
        /// Of one founder.
        case word(Int, Matter)
        case takeBack(Int, Matter)
        /// Of an intruder: refused, so nobody waits for it.
        case intrude(SignedEnvelope)
    }

    /// What participants want without the admin.
    enum Matter {
        case admin
        case policy
        case token(Int)
        case promotion(Int)
        case eviction(Int)
    }

    let kind: Kind
    var envelope: SignedEnvelope?
    var attempts = 0
    /// It was over once.
    var isFulfilled = false

    /// Numbers of keys: of nodes that join, of new keys, of tokens, of thieves.
    static let newcomer = 100
    static let rotated = 120
    static let token = 140
    static let thief = 160
    static let nextAdmin: UInt8 = 201
    static let attemptsMax = 25

    static func tokenID(_ number: Int) -> [UInt8] { Array(repeating: UInt8(number), count: 8) }
}

// Members come, go and change their keys, whatever else goes wrong.
extension Simulation {
    mutating func scheduleWishes() {
        let founders = nodes.indices.filter { nodes[$0].isFounder }
        func words(_ count: Int, _ matter: Wish.Matter) -> [Wish.Kind] {
            founders.prefix(count).map { .word($0, matter) }
        }
        var kinds: [Wish.Kind] = (0..<options.joins).flatMap { number -> [Wish.Kind] in
            guard options.sponsors > 0 else {
                return [.grant(number), .join(number), .promote(number)]
            }
            return [.join(number)] + words(options.sponsors, .token(number))
                + words(options.sponsors, .promotion(number))
        }
        // Not those whose disk or process is to fail for good: they are faulty as it is.
        let reserved = options.deadForever + options.rollbacks
        var honest = nodes.indices.filter {
            nodes[$0].isFounder && !nodes[$0].isByzantine && $0 <= lastFounder - reserved
        }
        func next(_ count: Int, _ kind: (Int) -> [Wish.Kind]) {
            for _ in 0..<count where !honest.isEmpty { kinds += kind(honest.removeFirst()) }
        }
        next(options.leaves) { [.leave($0)] }
        next(options.evictions) { [.evict($0)] }
        next(options.suspensions) { [.suspend($0), .resume($0)] }
        next(options.rotations) { [.rotate($0)] }
        next(min(1, options.evictionWords)) { node in
            words(options.evictionWords, .eviction(node))
                + founders.prefix(options.withdrawals).map { .takeBack($0, .eviction(node)) }
        }
        kinds += words(options.adminApprovals, .admin) + words(options.policyWords, .policy)
        if options.intruders > 0 { kinds += intrusions(kinds) }
        for kind in kinds {
            wishes.append(Wish(kind: kind))
            queue.schedule(
                .wish(wishes.count - 1),
                at: 100 + random[.process].below(max(1, options.faultMilliseconds)))
        }
    }

    private func intrusions(_ kinds: [Wish.Kind]) -> [Wish.Kind] {
        kinds.flatMap { kind -> [Wish.Kind] in
            switch kind {
            case .join(let number):
                // The token has leaked.
                let thief = cryptography.node(UInt8(Wish.thief + number))
                return [.intrude(joinRequest(of: thief, "thief-\(number)", token: number))]
            case .leave(let node), .evict(let node), .rotate(let node):
                // Back under the same key, with a token that somebody leaked.
                let id = nodes[node].id
                let again = (0..<options.joins).map {
                    Wish.Kind.intrude(joinRequest(of: id, "back-\(node)-\($0)", token: $0))
                }
                // And said to leave by somebody else.
                let other = nodes[(node + 1) % nodes.count].id
                let leaving = nodes[lastFounder].id
                return again + [.intrude(command(by: other, .leave(leaving)))]
            default: return []
            }
        }
    }

    private func joinRequest(of node: NodeID, _ name: String, token: Int) -> SignedEnvelope {
        let request = JoinRequest(
            mesh: rules.mesh, tokenID: Wish.tokenID(token), node: node, tlsKey: .zero,
            acceptor: rules.roster.nodes[0], acceptorTLSKey: .zero, name: name, address: "-",
            joinerNonce: Array(repeating: 1, count: 16),
            acceptorNonce: Array(repeating: 2, count: 16))
        let inner = cryptography.sign(
            .joinRequest, from: cryptography.node(UInt8(Wish.token + token)),
            payload: request.payload)
        return cryptography.sign(.joinRequest, from: node, payload: inner.bytes)
    }

    private func command(by node: NodeID, _ change: MembershipChange) -> SignedEnvelope {
        let command = Command(
            mesh: rules.mesh, sequence: 0, expiresAt: UInt64(Int64.max),
            action: .membership(change))
        return cryptography.sign(.command, from: node, payload: command.payload)
    }

    /// Asked of everybody who is up and can be reached.
    mutating func wish(_ index: Int) {
        let state = checker.chain.last?.state ?? rules.initialState
        guard !isOver(wishes[index], in: state) else {
            wishes[index].isFulfilled = true
            return
        }
        queue.schedule(.wish(index), at: time + 1_000 + random[.process].below(1_000))
        // The run comes first: its command has the first number.
        guard state.lastCommandSequence > 0, let envelope = envelope(for: index, state) else {
            return
        }
        wishes[index].attempts += 1
        for node in nodes.indices where nodes[node].isUp {
            guard !isFaulty || !random[.network].chance(300) else { continue }
            queue.schedule(
                .deliver([.signed(envelope)], from: envelope.sender, to: node),
                at: time + 1 + random[.network].below(options.delayMilliseconds + 1))
        }
    }

    private mutating func envelope(for index: Int, _ state: ChainState) -> SignedEnvelope? {
        switch wishes[index].kind {
        case .intrude(let envelope): return envelope
        case .grant(let number):
            // One of them is good for seconds only.
            let isShort = options.intruders > 0 && number % 2 == 1
            return adminCommand(
                index, state,
                .grantToken(
                    JoinGrant(
                        tokenID: Wish.tokenID(number),
                        tokenKey: cryptography.node(UInt8(Wish.token + number)),
                        notAfter: state.committedTime + (isShort ? 4_000 : 20_000_000))))
        case .join(let number):
            guard let node = nodes.firstIndex(where: { $0.name == "new-\(number)" }) else {
                return nil
            }
            if nodes[node].incarnation == 0 { start(node) }
            return joinRequest(of: nodes[node].id, "new-\(number)", token: number)
        case .promote(let number):
            let id = cryptography.node(UInt8(Wish.newcomer + number))
            guard state.roster.associate(id) != nil else { return nil }
            return adminCommand(index, state, .promote(id))
        case .leave(let node): return command(by: nodes[node].id, .leave(nodes[node].id))
        case .evict(let node):
            return adminCommand(index, state, .evict(nodes[node].id, reason: "asked"))
        case .suspend(let node):
            return adminCommand(index, state, .suspend(nodes[node].id, reason: "asked"))
        case .resume(let node):
            guard state.roster.associate(nodes[node].id)?.standing == .suspended else { return nil }
            return adminCommand(index, state, .resume(nodes[node].id))
        case .rotate(let node):
            let id = nodes[node].id
            return command(by: id, .rotateKey(replacement(of: id, by: newKey(of: node))))
        case .word(let node, let matter):
            return command(by: nodes[node].id, .word(nodes[node].id, motion(for: matter)))
        case .takeBack(let node, let matter):
            return command(by: nodes[node].id, .withdraw(nodes[node].id, motion(for: matter)))
        }
    }

    /// The same from everybody.
    private func motion(for matter: Wish.Matter) -> Motion {
        switch matter {
        case .admin: return .admin(replacement(of: rules.admin, by: nextAdmin))
        case .policy:
            let wasStrict = rules.initialState.roster.strictThree
            return .policy(
                MeshPolicy(
                    strictThree: wasStrict != (options.participants == 3),
                    viewTimeoutMilliseconds: 1_500, removalIntervalMilliseconds: 20_000))
        case .token(let number):
            return .change(
                .grantToken(
                    JoinGrant(
                        tokenID: Wish.tokenID(number),
                        tokenKey: cryptography.node(UInt8(Wish.token + number)),
                        notAfter: UInt64(Self.epoch) + 20_000_000)))
        case .promotion(let number):
            return .change(.promote(cryptography.node(UInt8(Wish.newcomer + number))))
        case .eviction(let node): return .change(.evict(nodes[node].id, reason: "moved"))
        }
    }

    private var nextAdmin: NodeID { cryptography.node(Wish.nextAdmin) }

    private func replacement(of old: NodeID, by new: NodeID) -> KeyReplacement {
        let consent = KeyConsent(mesh: rules.mesh, old: old, new: new)
        return KeyReplacement(
            old: old, new: new,
            consent: cryptography.sign(.keyConsent, from: new, payload: consent.payload))
    }

    private func newKey(of node: Int) -> NodeID { cryptography.node(UInt8(Wish.rotated + node)) }

    /// The same bytes again, until another command has overtaken its number.
    private mutating func adminCommand(
        _ index: Int, _ state: ChainState, _ change: MembershipChange
    ) -> SignedEnvelope {
        if let last = wishes[index].envelope, last.sender == state.admin,
            let command = try? Command(payload: last.unverifiedPayload),
            command.sequence > state.lastCommandSequence
        {
            return last
        }
        let command = Command(
            mesh: rules.mesh, sequence: state.lastCommandSequence + 1 + UInt64(index),
            expiresAt: UInt64(Int64.max), action: .membership(change))
        let envelope = cryptography.sign(.command, from: state.admin, payload: command.payload)
        wishes[index].envelope = envelope
        return envelope
    }

    /// Whether it is fulfilled, or has become impossible.
    func isOver(_ wish: Wish, in state: ChainState) -> Bool {
        guard !wish.isFulfilled else { return true }
        let roster = state.roster
        func isGone(_ id: NodeID) -> Bool {
            state.retired.contains(id) || state.convicted.contains(id)
        }
        switch wish.kind {
        case .intrude: return wish.attempts >= 4 || !isFaulty
        case .grant(let number):
            return state.granted(Wish.tokenID(number)) != nil || wish.attempts > Wish.attemptsMax
        case .join(let number):
            let id = cryptography.node(UInt8(Wish.newcomer + number))
            if let token = state.granted(Wish.tokenID(number)), !token.users.isEmpty {
                return true
            }
            return roster.member(id) != nil || isGone(id) || wish.attempts > Wish.attemptsMax
        case .promote(let number):
            let id = cryptography.node(UInt8(Wish.newcomer + number))
            if roster.contains(id) || isGone(id) { return true }
            return roster.member(id) == nil && isJoinOver(number, in: state)
        case .leave(let node), .evict(let node):
            // The last one stays.
            return roster.member(nodes[node].id) == nil || roster.nodes == [nodes[node].id]
        case .suspend(let node):
            let id = nodes[node].id
            return isGone(id) || wish.attempts > 3 || roster.associate(id) != nil
        case .resume(let node):
            let id = nodes[node].id
            let suspension = wishes.first {
                if case .suspend(node) = $0.kind { true } else { false }
            }
            return isGone(id) || roster.contains(id) && (suspension?.isFulfilled ?? true)
        case .rotate(let node): return isGone(nodes[node].id) || nodes[node].id == newKey(of: node)
        case .word(let node, let matter):
            return wish.attempts > Wish.attemptsMax || isGone(nodes[node].id)
                || isSettled(matter, in: state)
                || state.words(for: motion(for: matter), at: state.committedTime)
                    .contains(nodes[node].id)
        case .takeBack: return wish.attempts > 3
        }
    }

    private func isJoinOver(_ number: Int, in state: ChainState) -> Bool {
        let join = wishes.first { if case .join(number) = $0.kind { true } else { false } }
        return join.map { isOver($0, in: state) } ?? true
    }

    /// Whether nobody need say anything any more.
    private func isSettled(_ matter: Wish.Matter, in state: ChainState) -> Bool {
        switch matter {
        case .admin: return state.admin == nextAdmin
        case .policy: return .policy(state.policy) == motion(for: matter)
        case .token(let number): return state.granted(Wish.tokenID(number)) != nil
        case .promotion(let number):
            let id = cryptography.node(UInt8(Wish.newcomer + number))
            return state.roster.contains(id) || state.retired.contains(id)
                || state.roster.member(id) == nil && isJoinOver(number, in: state)
        case .eviction(let node): return state.roster.member(nodes[node].id) == nil
        }
    }

    /// The process that asked for a new key goes on with it: its old commits, an empty journal.
    mutating func takeNewKey(_ node: Int, _ state: ChainState) {
        let new = newKey(of: node)
        guard options.rotations > 0, nodes[node].isFounder, nodes[node].id != new,
            state.retired.contains(nodes[node].id), state.roster.member(new) != nil
        else { return }
        nodes[node].rekeyed = new
    }
}
