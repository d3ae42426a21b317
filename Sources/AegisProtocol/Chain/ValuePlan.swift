import AegisCore

/// Everything in a value that follows from the HaveLists and commands in its body. A coordinator
/// makes its proposal of it, a voter compares: nothing in a header is the coordinator's choice
/// but which lists it carries (PROTOCOL.md §2.5, §2.7).
struct ValuePlan: Sendable {
    /// Complete but for `aggregate` and `model`.
    let header: Header
    let body: [UInt8]
    /// S, in the order of the roster; empty unless the kind is round.
    let included: [HaveList.Member]
    /// The run that starts, whose first model is to be computed.
    let started: RunSpecification?
    /// Commands listed by so many that one of them is honest.
    let forced: [Digest]

    /// Whether each voter computes a model before it votes.
    var isComputed: Bool { header.kind == .round || started != nil }

    /// The header with what was computed.
    func header(with result: ComputeResult?) -> Header {
        var header = header
        header.aggregate = result?.aggregate ?? .zero
        header.model = result?.model ?? .zero
        return header
    }
}

/// A command, its signatures checked: it is of whom it must be of.
struct SignedCommand: Sendable {
    let digest: Digest
    let envelope: SignedEnvelope
    let command: Command

    /// The order in a value: the admin's in theirs, then what nodes ask, by digest.
    func precedes(_ other: SignedCommand) -> Bool {
        guard command.sequence == other.command.sequence else {
            return command.sequence != 0
                && (other.command.sequence == 0 || command.sequence < other.command.sequence)
        }
        return digest < other.digest
    }
}

extension MeshRules {
    /// The version of the code that aggregates: a change of one bit in any result raises it.
    static let aggregationVersion = 2

    /// What these lists and commands decide after `state`.
    func plan(
        after state: ChainState, lists: [Placed<HaveList>], commands: [SignedCommand],
        evidence: [KnownEvidence]
    ) throws(ValueError) -> ValuePlan {
        guard lists.count >= quorum else { throw .tooFewLists(lists.count) }
        try checkPlaces(of: lists, height: state.height + 1)
        let body = Body(
            lists: lists.map(\.envelope), commands: commands.map(\.envelope),
            evidence: evidence.map(\.evidence)
        ).encoded
        let time = committedTime(after: state, lists: lists)
        var header = Header(
            height: state.height + 1, kind: .configuration, previous: state.tip,
            roster: rosterDigest, body: cryptography.digest(body), committedTime: time)
        header.convicted = evidence.map(\.conviction.index)
        try checkConvictions(header.convicted, after: state)
        try checkOrder(of: commands)
        do { header.nextRoster = digest(of: try state.convicting(header.convicted).roster) } catch {
            throw .chain(error)
        }
        header.listView = lists[0].statement.scope.view
        header.listSenders = lists.map(\.index)
        let cutOffs = lists.map(\.statement.cutOffMilliseconds)
        let middle = median(cutOffs)
        header.cutOffMedianMilliseconds = middle
        header.cutOffDeviationMilliseconds = median(
            cutOffs.map { $0 > middle ? $0 - middle : middle - $0 })
        let forced = listed(at: inclusionThreshold, lists.map(\.statement.commands))
        guard commands.isEmpty, state.active != nil || evidence.isEmpty else {
            return try planConfiguration(
                header, body: body, commands: commands, after: state, forced: forced)
        }
        return try planRound(header, body: body, lists: lists, after: state, forced: forced)
    }

    private func planConfiguration(
        _ header: Header, body: [UInt8], commands: [SignedCommand], after state: ChainState,
        forced: [Digest]
    ) throws(ValueError) -> ValuePlan {
        var header = header
        let next: ChainState
        do {
            next = try state.applying(
                header, digest: .zero, commands: commands.map(\.command), mesh: mesh)
        } catch {
            throw .chain(error)
        }
        header.nextRoster = digest(of: next.roster)
        var started: RunSpecification?
        if let run = next.active, run.startedAt == header.height {
            started = run.specification
            header.run = run.specification.run
        }
        return ValuePlan(
            header: header, body: body, included: [], started: started, forced: forced)
    }

    private func planRound(
        _ header: Header, body: [UInt8], lists: [Placed<HaveList>], after state: ChainState,
        forced: [Digest]
    ) throws(ValueError) -> ValuePlan {
        guard let run = state.active else { throw .nothingToDecide }
        let guilty = Set(
            header.convicted + state.convicted.compactMap { roster.index(of: $0) })
        let included = includedSet(of: lists.map(\.statement)).filter {
            !guilty.contains($0.index)
        }
        var header = header
        header.run = run.specification.run
        header.round = run.round
        header.base = run.model
        if included.count >= run.updatesMin {
            header.kind = .round
            header.rule = run.specification.aggregation.name
            header.ruleVersion = Self.aggregationVersion
            header.included = included.map(\.index)
            header.includedDigest = cryptography.digest(
                CBOR.array(included.map { .digest($0.update) }).encoded)
            do { header.nextRoster = digest(of: try state.roster(afterRound: header)) } catch {
                throw .chain(error)
            }
            return ValuePlan(
                header: header, body: body, included: included, started: nil, forced: forced)
        }
        guard lists.allSatisfy(\.statement.isFinal) else {
            throw .tooFewUpdates(included.count, needed: run.updatesMin)
        }
        header.kind = .skip
        return ValuePlan(
            header: header, body: body, included: [], started: nil, forced: forced)
    }

    /// The median of the lists' clocks, and always later than the commit before.
    func committedTime(after state: ChainState, lists: [Placed<HaveList>]) -> UInt64 {
        max(state.committedTime + 1, median(lists.map(\.statement.wallTime)))
    }

    /// S: whose update is in at least t of the lists, so that an honest node vouches for it. Where
    /// two updates of one node are, honest nodes vouch for both: it signed two, and has none
    /// (§2.5).
    private func includedSet(of lists: [HaveList]) -> [HaveList.Member] {
        var included: [HaveList.Member] = []
        for index in 0..<roster.count {
            let digests = lists.map { list in
                list.members.first { $0.index == index }.map { [$0.update] } ?? []
            }
            let vouched = listed(at: inclusionThreshold, digests)
            if vouched.count == 1 { included.append(.init(index: index, update: vouched[0])) }
        }
        return included
    }

    /// The digests that occur in at least `threshold` of the lists, ascending.
    private func listed(at threshold: Int, _ lists: [[Digest]]) -> [Digest] {
        let all = lists.joined().sorted()
        var result: [Digest] = []
        var start = 0
        while start < all.count {
            var end = start
            while end < all.count, all[end] == all[start] { end += 1 }
            if end - start >= threshold { result.append(all[start]) }
            start = end
        }
        return result
    }

    /// Each once, in the order of the roster, and nobody who is convicted already.
    private func checkConvictions(
        _ convicted: [Int], after state: ChainState
    ) throws(ValueError) {
        var previous = -1
        for index in convicted {
            guard index > previous, !state.convicted.contains(roster.entries[index].node) else {
                throw .evidenceOutOfPlace(index)
            }
            previous = index
        }
    }

    private func checkOrder(of commands: [SignedCommand]) throws(ValueError) {
        for index in commands.indices.dropFirst()
        where !commands[index - 1].precedes(commands[index]) {
            throw .commandOutOfPlace(sequence: commands[index].command.sequence)
        }
    }

    private func checkPlaces(
        of lists: [Placed<HaveList>], height: UInt64
    ) throws(ValueError) {
        var previous = -1
        for list in lists {
            let scope = list.statement.scope
            guard list.index > previous, scope.height == height,
                scope.view == lists[0].statement.scope.view,
                list.statement.members.allSatisfy({ $0.index < roster.count })
            else { throw .listOutOfPlace(list.envelope.sender) }
            previous = list.index
        }
    }

    /// The middle one, or the lower of the two in the middle: f liars among the q lists can't move
    /// it past what some honest node said.
    private func median<Number: Comparable>(_ numbers: [Number]) -> Number {
        numbers.sorted()[(numbers.count - 1) / 2]
    }
}

extension MeshRules {
    /// The plan of a body that somebody else made.
    func plan(
        after state: ChainState, body bytes: [UInt8], using opener: inout EnvelopeOpener
    ) throws(ValueError) -> ValuePlan {
        let body: Body
        do { body = try Body(decoding: bytes) } catch { throw .malformed(error) }
        var lists: [Placed<HaveList>] = []
        for envelope in body.lists {
            do { lists.append(try opener.open(envelope, as: HaveList.self)) } catch {
                throw .envelope(error)
            }
        }
        let commands = try open(body.commands, using: &opener)
        var evidence: [KnownEvidence] = []
        for one in body.evidence {
            do { evidence.append(try KnownEvidence(one, verify(one, using: &opener))) } catch {
                throw .evidence(error)
            }
        }
        let plan = try plan(
            after: state, lists: lists, commands: commands, evidence: evidence)
        // Our own encoder made `plan.body` of the same envelopes.
        guard plan.body == bytes else { throw .bodyDiffers }
        return plan
    }

    func open(
        _ envelopes: [SignedEnvelope], using opener: inout EnvelopeOpener
    ) throws(ValueError) -> [SignedCommand] {
        var commands: [SignedCommand] = []
        for envelope in envelopes {
            do { commands.append(try open(command: envelope, using: &opener)) } catch {
                throw .envelope(error)
            }
        }
        return commands
    }

    /// A command whose every signature is there: of the admin, or of the node that it is about, and
    /// of the token or the new key that it rests on.
    func open(
        command envelope: SignedEnvelope, using opener: inout EnvelopeOpener
    ) throws(EnvelopeRefusal) -> SignedCommand {
        let command =
            envelope.type == .joinRequest
            ? try join(envelope, using: &opener)
            : try opener.open(envelope, as: .command, Command.init(payload:)).payload
        switch command.author {
        case .admin: guard envelope.sender == admin else { throw .notTheAuthor(envelope.sender) }
        case .node(let node):
            guard envelope.sender == node || breaches.contains(.authorsUnchecked), node != admin
            else {
                throw .notTheAuthor(envelope.sender)
            }
        }
        if case .membership(let change) = command.action {
            switch change {
            case .rotateKey(let replacement), .replaceLostKey(let replacement),
                .word(_, .admin(let replacement)):
                try check(replacement, using: &opener)
            case .join where envelope.type != .joinRequest:
                throw .unexpected(envelope.type)
            default: break
            }
        }
        return SignedCommand(
            digest: cryptography.digest(envelope.bytes), envelope: envelope, command: command)
    }

    /// The node's signature around the token's (§4.4).
    private func join(
        _ envelope: SignedEnvelope, using opener: inout EnvelopeOpener
    ) throws(EnvelopeRefusal) -> Command {
        let inner = try opener.open(envelope, as: .joinRequest) {
            bytes throws(StatementError) in
            guard let inner = try? SignedEnvelope(parsing: bytes) else {
                throw .outOfRange(field: 0)
            }
            return inner
        }.payload
        let request = try opener.open(inner, as: .joinRequest, JoinRequest.init(payload:)).payload
        guard request.mesh == mesh else { throw .foreignMesh }
        return Command(request, token: inner.sender)
    }

    private func check(
        _ replacement: KeyReplacement, using opener: inout EnvelopeOpener
    ) throws(EnvelopeRefusal) {
        let consent = try opener.open(
            replacement.consent, as: .keyConsent, KeyConsent.init(payload:)
        ).payload
        guard replacement.consent.sender == replacement.new, replacement.new != admin,
            consent == KeyConsent(mesh: mesh, old: replacement.old, new: replacement.new)
        else { throw .notTheAuthor(replacement.consent.sender) }
    }

    /// Those of `candidates` that can be applied one after the other, oldest first. The order
    /// leaves a coordinator no way to let a newer command push out an older one.
    /// Who is convicted by the same value is so before they are.
    func applicable(
        _ candidates: [SignedCommand], after state: ChainState, convicting convicted: [Int] = [],
        at time: UInt64
    ) -> [SignedCommand] {
        var state = (try? state.convicting(convicted)) ?? state
        var result: [SignedCommand] = []
        for candidate in candidates.sorted(by: { $0.precedes($1) }) {
            guard result.count < ProtocolLimits.commandsMax,
                let next = state.applying(candidate.command, mesh: mesh, at: time)
            else { continue }
            state = next
            result.append(candidate)
        }
        return result
    }
}
