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

/// What one training is going to do to the data set.
package struct Charge: Hashable, Sendable {
    package let event: MechanismEvent
    /// Who makes the noise: for the record, since both cost the same.
    package let noise: NoiseGenerator
    /// δ that the run declares, in units of 10⁻¹⁸.
    let deltaUnits: UInt64

    package var delta: Double { Double(deltaUnits) / 1e18 }

    /// Nil unless 10⁻¹⁸ ≤ δ < 1.
    package init?(event: MechanismEvent, noise: NoiseGenerator, delta: Double) {
        guard delta >= 1e-18, delta < 1 else { return nil }
        self.init(
            event: event, noise: noise,
            deltaUnits: FixedPoint.units(of: delta, scale: 1e18))
    }

    init(event: MechanismEvent, noise: NoiseGenerator, deltaUnits: UInt64) {
        self.event = event
        self.noise = noise
        self.deltaUnits = deltaUnits
    }
}

/// What a ledger knows of one release.
package enum ChargeState: Hashable, Sendable {
    case uncharged
    /// Paid for, and no update: either training goes on, or it died. Training again is the next
    /// attempt.
    case reserved(attempt: UInt64)
    /// Paid for, and this is the update. It is sent again as often as needed, never drawn again.
    case released(attempt: UInt64, update: Digest)

    /// The attempt to reserve before training; nil where there is nothing to train.
    package var nextAttempt: UInt64? {
        switch self {
        case .uncharged: 1
        case .reserved(let attempt): attempt + 1
        case .released: nil
        }
    }
}

/// Paid: one training may touch the data. Cannot be copied, so it cannot pay twice; dropped
/// without a commit it stays charged.
package struct Reservation: ~Copyable, Sendable {
    package let key: ReleaseKey
    package let attempt: UInt64
    package let charge: Charge
    /// The ledger's line, to be on disk before data is touched.
    package let entry: [UInt8]

    package var event: MechanismEvent { charge.event }

    /// Only a ledger makes one.
    init(key: ReleaseKey, attempt: UInt64, charge: Charge, entry: [UInt8]) {
        self.key = key
        self.attempt = attempt
        self.charge = charge
        self.entry = entry
    }
}

/// Which of the owner's limits a charge would break.
package enum BudgetScope: Hashable, Sendable {
    case lifetime
    case run
    /// Within a stretch of so many milliseconds.
    case period(milliseconds: UInt64)
}

/// Why a charge was refused. Each is an ordinary answer to a run.
package enum BudgetError: Error, Hashable, Sendable {
    /// ε: what is spent, what the event would add, and what the owner allows.
    case exceeded(BudgetScope, spent: Double, asked: Double, budget: Double)
    /// σ below the owner's least.
    case tooLittleNoise(noiseMultiplier: Double, least: Double)
    case deltaNotAllowed(asked: Double, allowed: Double)
    /// These records are charged to another ledger: a second name is no second budget.
    case recordsBelong(to: String)
    /// This attempt was charged before and its update is not known: train as the next attempt.
    case alreadyCharged(attempt: UInt64)
    case alreadyReleased(update: Digest)
    case wrongAttempt(expected: UInt64)
}

/// Why a release cannot be recorded. Its reservation stays spent.
package enum CommitError: Error, Hashable, Sendable {
    case usedMoreThanReserved(used: MechanismEvent, reserved: MechanismEvent)
    case notReserved
}

/// Why bytes are not the ledger they should be. Lines count from zero.
package enum LedgerError: Error, Hashable, Sendable, CustomStringConvertible {
    case empty
    case malformed(line: Int, StatementError)
    /// The line does not have the digest that was stored with it or anchored elsewhere.
    case edited(line: Int)
    /// The line does not follow the one before.
    case brokenChain(line: Int)
    case ruleBroken(line: Int)
    /// The ledger ends before a line that was anchored elsewhere.
    case truncated(lines: Int, anchored: UInt64)

    package var description: String {
        switch self {
        case .empty: "it has no lines"
        case .malformed(let line, let error): "line \(line) was edited: it is no entry (\(error))"
        case .edited(let line): "line \(line) was edited: its digest is another one"
        case .brokenChain(let line):
            "line \(line) does not follow the line before: one of them was edited or removed"
        case .ruleBroken(let line): "line \(line) was forged: no ledger writes it there"
        case .truncated(let lines, let anchored):
            "it was truncated: it has \(lines) lines, and line \(anchored) is known"
        }
    }
}

/// A line that is known from elsewhere: another file, a signed statement, a piece of paper. A
/// ledger without it was cut off or edited.
package struct LedgerAnchor: Hashable, Sendable {
    package let sequence: UInt64
    package let digest: Digest

    package init(sequence: UInt64, digest: Digest) {
        self.sequence = sequence
        self.digest = digest
    }

    package var encoded: [UInt8] {
        CBOR.fields([1: .unsigned(sequence), 2: .digest(digest)]).encoded
    }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: bytes)
        sequence = try fields.unsigned(1)
        digest = try fields.digest(2)
        try fields.finish()
    }
}
