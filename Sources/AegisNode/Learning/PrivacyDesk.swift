package import AegisAPI
package import AegisCore
package import AegisPrivacy
import AegisProtocol
package import AegisStore

/// The privacy ledgers of this node's data sets, each line on the disk before it counts. Used by
/// one training at a time.
package struct PrivacyDesk: Sendable {
    private let declarations: [DatasetDeclaration]
    private var book: LedgerBook
    /// Data sets without a ledger that the chain knows this member's rounds of: how many. What was
    /// spent is not known, so nothing more is until the owner says it.
    private(set) var unaccounted: [String: Int] = [:]

    package init(
        ledgers: LedgerFile, anchors: NodeDatabase, declarations: [DatasetDeclaration],
        claims: SpendingClaims = SpendingClaims(of: "")
    ) throws {
        self.declarations = declarations
        book = LedgerBook(file: ledgers, anchors: anchors)
        for declaration in declarations {
            guard let policy = declaration.budget.policy else {
                throw NodeError.dataset(
                    declaration.name, reason: "its budget is out of range")
            }
            if let rounds = claims.byDataset[declaration.name]?.count,
                try ledgers.lines(of: declaration.name).isEmpty,
                try anchors.ledgerAnchor(of: declaration.name) == nil
            {
                unaccounted[declaration.name] = rounds
                continue
            }
            try book.open(
                declaration.name, policy: policy, at: MachineClock.wallMilliseconds)
        }
    }

    package func declaration(of dataset: String) throws(NodeError) -> DatasetDeclaration {
        guard let declaration = declarations.first(where: { $0.name == dataset }) else {
            throw .datasetMissing(dataset)
        }
        return declaration
    }

    /// The update released for this key, if there is one: to be sent again, never redrawn.
    package func released(_ key: ReleaseKey, of dataset: String) throws -> Digest? {
        _ = try declaration(of: dataset)
        if let rounds = unaccounted[dataset] {
            throw TrainingRefusal.ledgerLost(dataset: dataset, rounds: rounds)
        }
        guard case .released(_, let update) = try book.ledger(of: dataset).state(of: key) else {
            return nil
        }
        return update
    }

    /// The records with this digest are charged to this data set, and to no other.
    package mutating func bind(_ records: Digest, to dataset: String) throws {
        _ = try declaration(of: dataset)
        try book.bind(records, to: dataset, at: MachineClock.wallMilliseconds)
    }

    /// Charges before the data is touched; on the disk when this returns. `delta` is what the run
    /// declares; the owner's where it declares none.
    package mutating func reserve(
        _ key: ReleaseKey, of dataset: String, for event: MechanismEvent, delta: Double? = nil
    ) throws -> Reservation {
        let declaration = try declaration(of: dataset)
        let charge = Charge(
            event: event, noise: declaration.noise ?? .fast,
            delta: delta ?? declaration.budget.delta)
        guard let charge else { throw TrainingRefusal.notTrainable }
        return try book.reserve(
            key, of: dataset, for: charge, at: MachineClock.wallMilliseconds)
    }

    /// Records which update the reservation paid for; the position of that line in the ledger.
    package mutating func commit(
        _ reservation: consuming Reservation, used: MechanismEvent, update: Digest,
        of dataset: String
    ) throws -> UInt64 {
        try book.commit(
            reservation, used: used, update: update, of: dataset,
            at: MachineClock.wallMilliseconds)
    }

    package func spent(of dataset: String) -> Double? { try? book.ledger(of: dataset).spent }

    package func entryCount(of dataset: String) -> UInt64 {
        (try? book.ledger(of: dataset).entryCount) ?? 0
    }

    package var summary: [NodeStatus.DatasetPrivacy] {
        declarations.compactMap { declaration in
            (try? book.ledger(of: declaration.name)).map { ledger in
                NodeStatus.DatasetPrivacy(
                    dataset: declaration.name, epsilon: ledger.spent,
                    delta: ledger.budget.delta, budgetEpsilon: ledger.budget.epsilon,
                    noise: (declaration.noise ?? .fast).rawValue)
            }
        }
    }
}
