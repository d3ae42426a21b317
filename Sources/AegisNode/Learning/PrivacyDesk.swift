package import AegisAPI
package import AegisCore
import AegisCrypto
package import AegisPrivacy
import AegisProtocol
package import AegisStore

/// The privacy ledgers of this node's data sets, each line on the disk before it counts. Used by
/// one training at a time.
package struct PrivacyDesk: Sendable {
    private let database: NodeDatabase
    private let declarations: [DatasetDeclaration]
    private var ledgers: [String: PrivacyLedger] = [:]

    package init(database: NodeDatabase, declarations: [DatasetDeclaration]) throws {
        self.database = database
        self.declarations = declarations
        for declaration in declarations {
            ledgers[declaration.name] = try Self.open(declaration, in: database)
        }
    }

    /// Replays what is on the disk; the owner's budget as `node.yaml` has it now is written down
    /// where it changed.
    private static func open(
        _ declaration: DatasetDeclaration, in database: NodeDatabase
    ) throws -> PrivacyLedger {
        guard
            let budget = PrivacyBudget(
                epsilon: declaration.budget.epsilon, delta: declaration.budget.delta)
        else {
            throw NodeError.dataset(declaration.name, reason: "its budget is out of range")
        }
        let entries = try database.ledger(of: declaration.name)
        guard !entries.isEmpty else {
            let (ledger, entry) = PrivacyLedger.open(
                dataset: declaration.name, budget: budget, hash: SHA256.digest(of:))
            try database.appendLedgerEntry(entry, sequence: 0, dataset: declaration.name)
            return ledger
        }
        var ledger: PrivacyLedger
        do {
            ledger = try PrivacyLedger(replaying: entries, hash: SHA256.digest(of:))
        } catch {
            throw NodeError.dataset(
                declaration.name, reason: "its privacy ledger was tampered with: \(error)")
        }
        guard ledger.dataset == declaration.name else {
            throw NodeError.dataset(
                declaration.name, reason: "its privacy ledger is that of \(ledger.dataset)")
        }
        if ledger.budget != budget {
            let sequence = ledger.entryCount
            let entry = ledger.allow(budget)
            try database.appendLedgerEntry(entry, sequence: sequence, dataset: declaration.name)
        }
        return ledger
    }

    package func declaration(of dataset: String) throws(NodeError) -> DatasetDeclaration {
        guard let declaration = declarations.first(where: { $0.name == dataset }) else {
            throw .datasetMissing(dataset)
        }
        return declaration
    }

    private func ledger(of dataset: String) throws(NodeError) -> PrivacyLedger {
        guard let ledger = ledgers[dataset] else { throw .datasetMissing(dataset) }
        return ledger
    }

    /// The update released for this key, if there is one: to be sent again, never redrawn.
    package func released(_ key: ReleaseKey, of dataset: String) throws -> Digest? {
        guard case .released(_, let update) = try ledger(of: dataset).state(of: key) else {
            return nil
        }
        return update
    }

    /// Charges before the data is touched; on the disk when this returns.
    package mutating func reserve(
        _ key: ReleaseKey, of dataset: String, for event: MechanismEvent
    ) throws -> Reservation {
        var ledger = try ledger(of: dataset)
        let sequence = ledger.entryCount
        let attempt = ledger.state(of: key).nextAttempt ?? 1
        let reservation = try ledger.reserve(key, attempt: attempt, for: event)
        try database.appendLedgerEntry(reservation.entry, sequence: sequence, dataset: dataset)
        ledgers[dataset] = ledger
        return reservation
    }

    /// Records which update the reservation paid for; the position of that line in the ledger.
    package mutating func commit(
        _ reservation: consuming Reservation, used: MechanismEvent, update: Digest,
        of dataset: String
    ) throws -> UInt64 {
        var ledger = try ledger(of: dataset)
        let sequence = ledger.entryCount
        let entry = try ledger.commit(reservation, used: used, update: update)
        try database.appendLedgerEntry(entry, sequence: sequence, dataset: dataset)
        ledgers[dataset] = ledger
        return sequence
    }

    package func spent(of dataset: String) -> Double? { ledgers[dataset]?.spent }
    package func entryCount(of dataset: String) -> UInt64 { ledgers[dataset]?.entryCount ?? 0 }

    package var summary: [NodeStatus.DatasetPrivacy] {
        declarations.compactMap { declaration in
            ledgers[declaration.name].map { ledger in
                NodeStatus.DatasetPrivacy(
                    dataset: declaration.name, epsilon: ledger.spent,
                    delta: ledger.budget.delta, budgetEpsilon: ledger.budget.epsilon)
            }
        }
    }
}
