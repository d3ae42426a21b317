package import AegisCore
package import AegisPrivacy

/// Where the last line of each ledger is written down a second time.
package protocol LedgerAnchorStore: Sendable {
    func ledgerAnchor(of dataset: String) throws -> LedgerAnchor?
    func setLedgerAnchor(_ anchor: LedgerAnchor, of dataset: String) throws
}

extension NodeDatabase: LedgerAnchorStore {
    static func anchorKey(_ dataset: String) -> String { "ledger-anchor/" + dataset }

    /// The data sets whose ledgers are known here.
    package func ledgerAnchors() throws(NodeDatabaseError) -> [String] {
        try keys(withPrefix: Self.anchorKey("")).map {
            String($0.dropFirst(Self.anchorKey("").count))
        }
    }

    package func ledgerAnchor(of dataset: String) throws -> LedgerAnchor? {
        try value(forKey: Self.anchorKey(dataset)).map(LedgerAnchor.init(decoding:))
    }

    package func setLedgerAnchor(_ anchor: LedgerAnchor, of dataset: String) throws {
        try setValue(anchor.encoded, forKey: Self.anchorKey(dataset))
    }
}

/// The anchors that a node keeps in its own database, read while the node may be running.
package struct NodeLedgerAnchors: Sendable {
    private let anchors: [String: LedgerAnchor]

    /// None.
    package init() { anchors = [:] }

    /// None where there is no such file.
    package init(reading path: String) throws {
        var found: [String: LedgerAnchor] = [:]
        for (dataset, bytes) in try NodeDatabase.values(
            withPrefix: NodeDatabase.anchorKey(""), reading: path)
        {
            found[dataset] = try LedgerAnchor(decoding: bytes)
        }
        anchors = found
    }

    package subscript(dataset: String) -> LedgerAnchor? { anchors[dataset] }
    /// The data sets whose ledgers the node knows.
    package var datasets: [String] { anchors.keys.sorted() }
}

package enum LedgerBookError: Error, Hashable, Sendable, CustomStringConvertible {
    case damaged(dataset: String, LedgerError)
    /// A ledger that says it is another data set's.
    case foreign(dataset: String, found: String)
    case notOpen(dataset: String)

    package var description: String {
        switch self {
        case .damaged(let dataset, let error):
            "the privacy ledger of \(dataset) was tampered with: \(error)"
        case .foreign(let dataset, let found):
            "the privacy ledger of \(dataset) was tampered with: it is that of \(found)"
        case .notOpen(let dataset): "no privacy ledger of \(dataset) is open"
        }
    }
}

/// The ledgers of one file, in use: each line is on the disk, and then anchored elsewhere, before
/// what it allows happens. An anchor is thus never ahead of its ledger.
package struct LedgerBook: Sendable {
    private let file: LedgerFile
    private let anchors: any LedgerAnchorStore
    private var ledgers: [String: PrivacyLedger] = [:]

    package init(file: LedgerFile, anchors: some LedgerAnchorStore) {
        self.file = file
        self.anchors = anchors
    }

    /// Reads a ledger and checks every line of it, against the anchor too; nil where there is
    /// none, and none is known of.
    package static func ledger(
        of dataset: String, in file: LedgerFile, anchor: LedgerAnchor?
    ) throws -> PrivacyLedger? {
        let lines = try file.lines(of: dataset)
        if lines.isEmpty, anchor == nil { return nil }
        do {
            for (index, line) in lines.enumerated()
            where LedgerFile.digest(of: line.entry) != line.digest {
                throw LedgerError.edited(line: index)
            }
            let ledger = try PrivacyLedger(
                replaying: lines.map(\.entry), anchor: anchor, hash: LedgerFile.digest(of:))
            guard ledger.dataset == dataset else {
                throw LedgerBookError.foreign(dataset: dataset, found: ledger.dataset)
            }
            return ledger
        } catch let error as LedgerError {
            throw LedgerBookError.damaged(dataset: dataset, error)
        }
    }

    /// Opens the ledger of a data set, new where there is none. The owner's policy as it is now is
    /// written down where it changed.
    package mutating func open(
        _ dataset: String, policy: OwnerPolicy, at now: UInt64
    ) throws {
        let anchor = try anchors.ledgerAnchor(of: dataset)
        guard var ledger = try Self.ledger(of: dataset, in: file, anchor: anchor) else {
            let (ledger, entry) = PrivacyLedger.open(
                dataset: dataset, policy: policy, at: now, hash: LedgerFile.digest(of:))
            return try keep(ledger, line: entry)
        }
        if ledger.policy != policy {
            let entry = ledger.allow(policy, at: now)
            return try keep(ledger, line: entry)
        }
        // A cut between the line and its anchor leaves the anchor behind.
        if anchor != ledger.anchor { try anchors.setLedgerAnchor(ledger.anchor, of: dataset) }
        ledgers[dataset] = ledger
    }

    package func ledger(of dataset: String) throws(LedgerBookError) -> PrivacyLedger {
        guard let ledger = ledgers[dataset] else { throw .notOpen(dataset: dataset) }
        return ledger
    }

    /// The records with this digest are charged to this data set's ledger and to no other here.
    package mutating func bind(
        _ records: Digest, to dataset: String, at now: UInt64
    ) throws {
        var ledger = try ledger(of: dataset)
        for name in try file.datasets() where name != dataset {
            let other =
                if let open = ledgers[name] { open } else {
                    try Self.ledger(
                        of: name, in: file, anchor: anchors.ledgerAnchor(of: name))
                }
            if other?.records.contains(records) == true {
                throw BudgetError.recordsBelong(to: name)
            }
        }
        if let entry = ledger.bind(records, at: now) { try keep(ledger, line: entry) }
    }

    /// Charges before the data is touched; on the disk when this returns.
    package mutating func reserve(
        _ key: ReleaseKey, of dataset: String, for charge: Charge, at now: UInt64
    ) throws -> Reservation {
        var ledger = try ledger(of: dataset)
        let attempt = ledger.state(of: key).nextAttempt ?? 1
        let reservation = try ledger.reserve(key, attempt: attempt, for: charge, at: now)
        try keep(ledger, line: reservation.entry)
        return reservation
    }

    /// Records which update the reservation paid for; the number of that line.
    package mutating func commit(
        _ reservation: consuming Reservation, used: MechanismEvent, update: Digest,
        of dataset: String, at now: UInt64
    ) throws -> UInt64 {
        var ledger = try ledger(of: dataset)
        let entry = try ledger.commit(reservation, used: used, update: update, at: now)
        try keep(ledger, line: entry)
        return ledger.anchor.sequence
    }

    /// The value is kept only once its last line is durable. Where that fails, whether or not the
    /// line reached the disk, the next one does not fit until the file is read again.
    private mutating func keep(_ ledger: PrivacyLedger, line: [UInt8]) throws {
        let anchor = ledger.anchor
        try file.append(line, sequence: anchor.sequence, dataset: ledger.dataset)
        try anchors.setLedgerAnchor(anchor, of: ledger.dataset)
        ledgers[ledger.dataset] = ledger
    }
}
