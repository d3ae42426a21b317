package import AegisCore

/// What a charge pays for: one update of one round. A retraining after a crash is another attempt
/// at the same release, and pays again.
package struct ReleaseKey: Hashable, Sendable {
    /// The run's id.
    package let run: [UInt8]
    package let round: UInt64

    package init(run: [UInt8], round: UInt64) {
        self.run = run
        self.round = round
    }
}

/// One line of a data set's ledger. Its encoding is canonical CBOR; the digest of that encoding
/// is what the next line names, so no line can be changed, dropped or moved unnoticed.
package struct LedgerEntry: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        /// The first line: whose ledger this is, and what its owner allows.
        case opened(dataset: String, PrivacyBudget)
        /// The owner allows something else from now on.
        case budgeted(PrivacyBudget)
        /// Written before data is touched. Counts in full whatever happens next.
        case reserved(ReleaseKey, attempt: UInt64, MechanismEvent)
        /// The update this reservation paid for exists; its digest says which one to send again.
        case released(ReleaseKey, attempt: UInt64, update: Digest)
    }

    package let sequence: UInt64
    /// The digest of the line before; zero in the first.
    package let previous: Digest
    package let action: Action

    package var encoded: [UInt8] {
        CBOR.fields([
            1: .unsigned(sequence), 2: .digest(previous), 3: action.cbor,
        ]).encoded
    }

    init(sequence: UInt64, previous: Digest, action: Action) {
        self.sequence = sequence
        self.previous = previous
        self.action = action
    }

    init(decoding bytes: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: bytes)
        sequence = try fields.unsigned(1)
        previous = try fields.digest(2)
        action = try Action(try fields.value(3))
        try fields.finish()
    }
}

extension LedgerEntry.Action {
    fileprivate var cbor: CBOR {
        switch self {
        case .opened(let dataset, let budget):
            .fields([1: 1, 2: .text(dataset), 3: budget.cbor])
        case .budgeted(let budget): .fields([1: 2, 3: budget.cbor])
        case .reserved(let key, let attempt, let event):
            .fields([
                1: 3, 4: .bytes(key.run), 5: .unsigned(key.round), 6: .unsigned(attempt),
                7: .unsigned(event.mechanism.samplingRateUnits),
                8: .unsigned(event.mechanism.noiseUnits), 9: .integer(Int64(event.steps)),
            ])
        case .released(let key, let attempt, let update):
            .fields([
                1: 4, 4: .bytes(key.run), 5: .unsigned(key.round), 6: .unsigned(attempt),
                10: .digest(update),
            ])
        }
    }

    fileprivate init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        switch try fields.unsigned(1) {
        case 1: self = .opened(dataset: try fields.text(2), try fields.budget(3))
        case 2: self = .budgeted(try fields.budget(3))
        case 3:
            let (key, attempt) = (try fields.releaseKey(), try fields.unsigned(6))
            let (rate, noise) = (try fields.unsigned(7), try fields.unsigned(8))
            let steps = try fields.count(9, in: 0...Int.max)
            guard let mechanism = SampledGaussian(samplingRateUnits: rate, noiseUnits: noise)
            else { throw .outOfRange(field: 7) }
            self = .reserved(
                key, attempt: attempt, MechanismEvent(mechanism: mechanism, steps: steps))
        case 4:
            let (key, attempt) = (try fields.releaseKey(), try fields.unsigned(6))
            self = .released(key, attempt: attempt, update: try fields.digest(10))
        default: throw .outOfRange(field: 1)
        }
        try fields.finish()
    }
}

extension CBORFields {
    fileprivate mutating func budget(_ field: Int64) throws(StatementError) -> PrivacyBudget {
        try PrivacyBudget(try value(field))
    }

    fileprivate mutating func releaseKey() throws(StatementError) -> ReleaseKey {
        ReleaseKey(run: try bytes(4, max: Limits.nameBytesMax), round: try unsigned(5))
    }
}
