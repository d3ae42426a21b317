package import AegisCore

/// What a height decides.
package enum ValueKind: UInt64, CaseIterable, Sendable {
    /// A round's aggregate and the model that follows.
    case round = 1
    /// Too few updates before everybody's hard deadline; the round is attempted again from the
    /// same model, so the updates that exist stay good and nobody trains twice.
    case skip = 2
    /// Commands of the admin.
    case configuration = 3
}

/// The part of a value that is voted on: its SHA-256 is the value's digest. Everything in it is
/// recomputed by each voter from the body and the updates (PROTOCOL.md §2.4, §2.7).
package struct Header: Hashable, Sendable {
    package var height: UInt64
    package var kind: ValueKind
    /// Of the header before; of the genesis statement at height 1.
    package var previous: Digest
    /// Of the roster that decides this height, and of the one that decides the next.
    package var roster: Digest
    package var nextRoster: Digest
    /// The run decided on (round, skip) or started (configuration).
    package var run: RunID?
    /// 0 unless the kind is round or skip.
    package var round: Int
    /// Of the model the round starts from; zero unless the kind is round or skip.
    package var base: Digest
    /// The view of the HaveLists in the body.
    package var listView: UInt32
    /// S: places in the roster, ascending, of whose updates take part, and SHA-256 over their
    /// digests in this order.
    package var included: [Int]
    package var includedDigest: Digest
    /// Places in the roster, ascending, of whose HaveLists the body carries.
    package var listSenders: [Int]
    /// Over the lists' cut-offs: the median, and the median absolute deviation from it.
    package var cutOffMedianMilliseconds: UInt32
    package var cutOffDeviationMilliseconds: UInt32
    /// The rule's name and the version of the code that computed it; empty and 0 without aggregate.
    package var rule: String
    package var ruleVersion: Int
    package var aggregate: Digest
    /// The new model: after a round, or the initial one of a run that starts; else zero.
    package var model: Digest
    /// Milliseconds since 1970: the median of the lists' clocks, always growing.
    package var committedTime: UInt64
    package var body: Digest
    /// Places in the roster, ascending, of those whom the evidence in the body convicts.
    package var convicted: [Int]

    package var encoded: [UInt8] {
        CBOR.fields([
            1: .unsigned(height), 2: .unsigned(kind.rawValue), 3: .digest(previous),
            4: .digest(roster), 5: .digest(nextRoster), 6: run.map { .bytes($0.bytes) } ?? .null,
            7: .integer(Int64(round)), 8: .digest(base), 9: .unsigned(UInt64(listView)),
            10: .indices(included), 11: .digest(includedDigest), 12: .indices(listSenders),
            13: .unsigned(UInt64(cutOffMedianMilliseconds)),
            14: .unsigned(UInt64(cutOffDeviationMilliseconds)), 15: .text(rule),
            16: .integer(Int64(ruleVersion)), 17: .digest(aggregate), 18: .digest(model),
            19: .unsigned(committedTime), 20: .digest(body), 21: .indices(convicted),
        ]).encoded
    }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: bytes)
        height = try fields.unsigned(1, max: UInt64(Int64.max))
        guard let kind = ValueKind(rawValue: try fields.unsigned(2)) else {
            throw .outOfRange(field: 2)
        }
        self.kind = kind
        previous = try fields.digest(3)
        roster = try fields.digest(4)
        nextRoster = try fields.digest(5)
        switch try fields.value(6) {
        case .null: run = nil
        case .bytes(let bytes):
            guard let run = RunID(bytes) else { throw .outOfRange(field: 6) }
            self.run = run
        default: throw .wrongType(field: 6)
        }
        round = try fields.count(7, in: 0...Limits.roundsMax)
        base = try fields.digest(8)
        listView = UInt32(try fields.unsigned(9, max: ProtocolLimits.viewMax))
        included = try fields.indices(10)
        includedDigest = try fields.digest(11)
        listSenders = try fields.indices(12)
        cutOffMedianMilliseconds = UInt32(try fields.unsigned(13, max: UInt64(UInt32.max)))
        cutOffDeviationMilliseconds = UInt32(try fields.unsigned(14, max: UInt64(UInt32.max)))
        rule = try fields.text(15)
        ruleVersion = try fields.count(16, in: 0...65_535)
        aggregate = try fields.digest(17)
        model = try fields.digest(18)
        committedTime = try fields.unsigned(19, max: UInt64(Int64.max))
        body = try fields.digest(20)
        convicted = try fields.indices(21)
        try fields.finish()
    }

    init(
        height: UInt64, kind: ValueKind, previous: Digest, roster: Digest, body: Digest,
        committedTime: UInt64
    ) {
        self.height = height
        self.kind = kind
        self.previous = previous
        self.roster = roster
        self.nextRoster = roster
        self.committedTime = committedTime
        self.body = body
        run = nil
        round = 0
        base = .zero
        listView = 0
        included = []
        includedDigest = .zero
        listSenders = []
        cutOffMedianMilliseconds = 0
        cutOffDeviationMilliseconds = 0
        rule = ""
        ruleVersion = 0
        aggregate = .zero
        model = .zero
        convicted = []
    }
}

/// What the header is recomputed from: signed HaveLists of a quorum, commands, and evidence against
/// traitors. Audit heads get their field later.
package struct Body: Hashable, Sendable {
    /// COSE_Sign1 of HaveLists of one view, in the order of the roster.
    package let lists: [SignedEnvelope]
    /// COSE_Sign1 of commands, in the order of their sequence numbers.
    package let commands: [SignedEnvelope]
    /// In the order of the roster, one for each whom it convicts.
    package let evidence: [Evidence]

    package init(
        lists: [SignedEnvelope], commands: [SignedEnvelope], evidence: [Evidence] = []
    ) {
        self.lists = lists
        self.commands = commands
        self.evidence = evidence
    }

    package var encoded: [UInt8] {
        CBOR.fields([
            1: .envelopes(lists), 2: .envelopes(commands),
            3: .array(evidence.map { .bytes($0.encoded) }),
        ]).encoded
    }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: bytes)
        lists = try fields.envelopes(1)
        commands = try fields.envelopes(2, max: ProtocolLimits.commandsMax)
        var evidence: [Evidence] = []
        for bytes in try fields.byteStrings(3, max: ProtocolLimits.evidenceMax) {
            evidence.append(try Evidence(decoding: bytes))
        }
        self.evidence = evidence
        try fields.finish()
    }
}

extension CBOR {
    static func indices(_ indices: [Int]) -> CBOR {
        .array(indices.map { .integer(Int64($0)) })
    }
}

extension CBORFields {
    /// Ascending places in a roster.
    mutating func indices(_ field: Int64) throws(StatementError) -> [Int] {
        var indices: [Int] = []
        for element in try array(field, max: Limits.participantsMax) {
            guard case .unsigned(let index) = element,
                index < UInt64(Limits.participantsMax), Int(index) > indices.last ?? -1
            else { throw .outOfRange(field: field) }
            indices.append(Int(index))
        }
        return indices
    }
}
