package import AegisAPI
import AegisProtocol
import AegisTelemetry
import FoundationEssentials
import GRDB

/// A data set as it was registered.
package struct StoredDataset: Hashable, Sendable {
    package let name: String
    package let description: String
    package let features: Int?
    package let classes: Int?
    package let registeredAt: UInt64
    package let registeredBy: String
    package let retiredAt: UInt64?
    package let version: Int64
}

extension AdminDatabase {
    package func datasets() async throws -> [StoredDataset] {
        try await writer.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM dataset ORDER BY name").map(Self.dataset)
        }
    }

    package func dataset(_ name: String) async throws -> StoredDataset? {
        try await writer.read { db in
            try Row.fetchOne(db, sql: "SELECT * FROM dataset WHERE name = ?", arguments: [name])
                .map(Self.dataset)
        }
    }

    private static func dataset(_ row: Row) -> StoredDataset {
        StoredDataset(
            name: row["name"], description: row["description"], features: row["features"],
            classes: row["classes"], registeredAt: UInt64(row["registered_at"] as Int64),
            registeredBy: row["registered_by"],
            retiredAt: (row["retired_at"] as Int64?).map { UInt64($0) }, version: row["version"])
    }

    func insertDataset(_ dataset: StoredDataset) async throws {
        try await change { db in
            let taken = try Bool.fetchOne(
                db, sql: "SELECT EXISTS (SELECT 1 FROM dataset WHERE name = ?)",
                arguments: [dataset.name])
            guard taken != true else { throw Problem(.nameTaken) }
            try db.execute(
                sql: """
                    INSERT INTO dataset
                    (name, description, features, classes, registered_at, registered_by)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    dataset.name, dataset.description, dataset.features, dataset.classes,
                    Int64(dataset.registeredAt), dataset.registeredBy,
                ])
        }
    }

    /// Of the version that the caller has seen.
    func updateDataset(
        _ dataset: StoredDataset, description: String, retiredAt: UInt64?
    ) async throws {
        try await change { db in
            try db.execute(
                sql: "UPDATE dataset SET description = ?, retired_at = ?, version = version + 1 "
                    + "WHERE name = ? AND version = ?",
                arguments: [
                    description, retiredAt.map { Int64($0) }, dataset.name, dataset.version,
                ])
            guard db.changesCount == 1 else { throw Problem(.changed) }
        }
    }
}

/// The catalogue: what was registered, and what the nodes report of their holdings and budgets.
package struct DatasetDesk: Sendable {
    private let database: AdminDatabase
    private let observer: MeshObserver

    package init(database: AdminDatabase, observer: MeshObserver) {
        self.database = database
        self.observer = observer
    }

    package func register(
        name: String, description: String, features: Int?, classes: Int?, by actor: String,
        now: UInt64
    ) async throws -> DatasetView {
        do {
            try await database.insertDataset(
                StoredDataset(
                    name: name, description: description, features: features, classes: classes,
                    registeredAt: now, registeredBy: actor, retiredAt: nil, version: 1))
        } catch let problem as Problem where problem.type == Problem.Kind.nameTaken.type {
            throw Problem(.nameTaken, detail: "there is a data set \(name) already")
        }
        return try await view(name)
    }

    /// Registered ones, then those that are only reported.
    package func list() async throws -> [DatasetView] {
        let budgets = try await budgets()
        let holders = Dictionary(grouping: budgets, by: \.dataset)
        let stored = try await database.datasets()
        let known = Set(stored.map(\.name))
        let reported = Set(holders.keys).subtracting(known).sorted()
        return stored.map { Self.view($0, holders[$0.name] ?? []) }
            + reported.map {
                DatasetView(name: $0, state: .reported, holders: holders[$0] ?? [])
            }
    }

    package func view(_ name: String) async throws -> DatasetView {
        guard let view = try await list().first(where: { $0.name == name }) else {
            throw Problem(.notFound, detail: "there is no data set \(name.prefix(64))")
        }
        return view
    }

    /// Only what is registered can be changed.
    package func change(
        _ name: String, description: String?, retired: Bool?, now: UInt64
    ) async throws -> DatasetView {
        guard let stored = try await database.dataset(name) else {
            throw Problem(
                .notFound, detail: "\(name.prefix(64)) is not registered",
                hint: "register it first: aegis dataset register NAME")
        }
        let retiredAt = retired.map { $0 ? stored.retiredAt ?? now : nil } ?? stored.retiredAt
        try await database.updateDataset(
            stored, description: description ?? stored.description, retiredAt: retiredAt)
        return try await view(name)
    }

    /// What every reachable node says of its ledgers.
    package func budgets() async throws -> [BudgetView] {
        let seen = await observer.nodes()
        return try await database.participants().flatMap { participant in
            (seen[participant.entry.node]?.status?.privacy ?? []).map { data in
                BudgetView(
                    participant: participant.entry.name, dataset: data.dataset,
                    epsilon: data.epsilon, delta: data.delta, budgetEpsilon: data.budgetEpsilon)
            }
        }
    }

    private static func view(_ stored: StoredDataset, _ holders: [BudgetView]) -> DatasetView {
        DatasetView(
            name: stored.name, state: stored.retiredAt == nil ? .registered : .retired,
            description: stored.description, features: stored.features, classes: stored.classes,
            registeredAt: Timestamp.text(stored.registeredAt), registeredBy: stored.registeredBy,
            holders: holders)
    }
}
