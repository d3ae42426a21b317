package import AegisCore

/// One line of a data set's ledger. Its encoding is canonical CBOR; the digest of that encoding
/// is what the next line names, so no line can be changed, dropped or moved unnoticed.
package struct LedgerEntry: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        /// The first line: whose ledger this is, and what its owner allows.
        case opened(dataset: String, OwnerPolicy)
        /// The owner allows something else from now on.
        case policyChanged(OwnerPolicy)
        /// Written before data is touched. Counts in full whatever happens next.
        case reserved(ReleaseKey, attempt: UInt64, Charge)
        /// The update this reservation paid for exists; its digest says which one to send again.
        case released(ReleaseKey, attempt: UInt64, update: Digest)
        /// Records with this digest are charged here, and nowhere else.
        case bound(records: Digest)
    }

    package let sequence: UInt64
    /// The digest of the line before; zero in the first.
    package let previous: Digest
    /// Milliseconds since 1970 by the node's clock, never less than in the line before: a clock
    /// that is set back brings no period back.
    package let time: UInt64
    package let action: Action

    package var encoded: [UInt8] {
        CBOR.fields([
            1: .unsigned(sequence), 2: .digest(previous), 3: action.cbor, 4: .unsigned(time),
        ]).encoded
    }

    init(sequence: UInt64, previous: Digest, time: UInt64, action: Action) {
        self.sequence = sequence
        self.previous = previous
        self.time = time
        self.action = action
    }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: bytes)
        sequence = try fields.unsigned(1)
        previous = try fields.digest(2)
        action = try Action(try fields.value(3))
        time = try fields.unsigned(4)
        try fields.finish()
    }
}

extension LedgerEntry.Action {
    fileprivate var cbor: CBOR {
        switch self {
        case .opened(let dataset, let policy):
            .fields([1: 1, 2: .text(dataset), 3: policy.cbor])
        case .policyChanged(let policy): .fields([1: 2, 3: policy.cbor])
        case .reserved(let key, let attempt, let charge):
            .fields([
                1: 3, 4: .bytes(key.run), 5: .unsigned(key.round), 6: .unsigned(attempt),
                7: .unsigned(charge.event.mechanism.samplingRateUnits),
                8: .unsigned(charge.event.mechanism.noiseUnits),
                9: .integer(Int64(charge.event.steps)),
                11: .text(charge.event.kind.rawValue), 12: .text(charge.noise.rawValue),
                13: .unsigned(charge.deltaUnits),
            ])
        case .released(let key, let attempt, let update):
            .fields([
                1: 4, 4: .bytes(key.run), 5: .unsigned(key.round), 6: .unsigned(attempt),
                10: .digest(update),
            ])
        case .bound(let records): .fields([1: 5, 14: .digest(records)])
        }
    }

    fileprivate init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        switch try fields.unsigned(1) {
        case 1: self = .opened(dataset: try fields.text(2), try fields.policy(3))
        case 2: self = .policyChanged(try fields.policy(3))
        case 3:
            let (key, attempt) = (try fields.releaseKey(), try fields.unsigned(6))
            self = .reserved(key, attempt: attempt, try fields.charge())
        case 4:
            let (key, attempt) = (try fields.releaseKey(), try fields.unsigned(6))
            self = .released(key, attempt: attempt, update: try fields.digest(10))
        case 5: self = .bound(records: try fields.digest(14))
        default: throw .outOfRange(field: 1)
        }
        try fields.finish()
    }
}

extension CBORFields {
    fileprivate mutating func policy(_ field: Int64) throws(StatementError) -> OwnerPolicy {
        try OwnerPolicy(try value(field))
    }

    fileprivate mutating func releaseKey() throws(StatementError) -> ReleaseKey {
        ReleaseKey(run: try bytes(4, max: Limits.nameBytesMax), round: try unsigned(5))
    }

    fileprivate mutating func charge() throws(StatementError) -> Charge {
        let (rate, noise) = (try unsigned(7), try unsigned(8))
        let steps = try count(9, in: 0...Int.max)
        guard let mechanism = SampledGaussian(samplingRateUnits: rate, noiseUnits: noise) else {
            throw .outOfRange(field: 7)
        }
        guard let kind = MechanismKind(rawValue: try text(11)) else {
            throw .outOfRange(field: 11)
        }
        guard let generator = NoiseGenerator(rawValue: try text(12)) else {
            throw .outOfRange(field: 12)
        }
        let delta = try unsigned(13, max: 999_999_999_999_999_999)
        return Charge(
            event: MechanismEvent(mechanism: mechanism, steps: steps, kind: kind),
            noise: generator, deltaUnits: delta)
    }
}
