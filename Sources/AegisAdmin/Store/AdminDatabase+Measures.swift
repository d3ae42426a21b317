package import AegisAPI
package import AegisCore
package import AegisProtocol
import FoundationEssentials
import GRDB

/// What a node measured in a round.
package struct StoredMeasure: Hashable, Sendable {
    package let round: Int
    package let node: NodeID
    package let seconds: Double
    package let loss: Double?
    package let accuracy: Double?
    package let epsilon: Double?
    package let quality: ModelQuality?
}

/// A run in a few figures: the last of each, means of the nodes; the most privacy that any spent.
package struct RunFigures: Hashable, Sendable {
    package let loss: Double?
    package let accuracy: Double?
    package let epsilonMax: Double?
}

extension AdminDatabase {
    /// Keeps what `node` measured in rounds that the mesh has committed, and what to ask it after
    /// next time: nil where it doesn't say how far it has told.
    package func keep(
        _ measures: [RoundMeasurement], of node: NodeID, through place: UInt64?
    ) async throws {
        try await write { db in
            for measure in measures {
                guard let run = RunID(text: measure.run), measure.seconds.isFinite else { continue }
                try db.execute(
                    sql: """
                        INSERT INTO measure
                            (run, round, node, seconds, loss, accuracy, epsilon, explanation,
                             quality)
                        SELECT run, round, ?, ?, ?, ?, ?, ?, ? FROM committed_round
                        WHERE run = ? AND round = ? ON CONFLICT DO UPDATE SET
                        seconds = excluded.seconds, loss = excluded.loss,
                        accuracy = excluded.accuracy, epsilon = excluded.epsilon,
                        quality = excluded.quality,
                        explanation = COALESCE(excluded.explanation, measure.explanation)
                        """,
                    arguments: [
                        Data(node.bytes), measure.seconds, measure.loss, measure.accuracy,
                        measure.epsilon, try Self.explanation(of: measure),
                        try measure.quality.flatMap { $0.isSound ? $0 : nil }
                            .map { Data(try AegisAPI.encode($0)) }, Data(run.bytes), measure.round,
                    ])
            }
            guard let place = place.flatMap(Int64.init(exactly:)) else { return }
            try db.execute(
                sql: "INSERT OR REPLACE INTO measured (node, place) VALUES (?, ?)",
                arguments: [Data(node.bytes), place])
        }
    }

    /// What each node is to be asked after.
    package func measured() async throws -> [NodeID: UInt64] {
        try await writer.read { db in
            try Row.fetchAll(db, sql: "SELECT node, place FROM measured").reduce(into: [:]) {
                guard let node = NodeID(Array($1["node"] as Data)) else {
                    throw AdminDatabaseError.damaged(table: "measured")
                }
                $0[node] = UInt64($1["place"] as Int64)
            }
        }
    }

    /// One that is longer than any rule makes it is not kept.
    private static func explanation(of measure: RoundMeasurement) throws -> Data? {
        guard let explanation = measure.aggregation,
            explanation.verdicts.count <= Limits.participantsMax,
            ([explanation.rule, explanation.scoreMeaning] + explanation.verdicts.map(\.node))
                .allSatisfy({ $0.utf8.count <= Limits.nameBytesMax })
        else { return nil }
        return Data(try AegisAPI.encode(explanation))
    }

    package func measures(
        of run: RunID, rounds: ClosedRange<Int>
    ) async throws -> [StoredMeasure] {
        try await writer.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT round, node, seconds, loss, accuracy, epsilon, quality FROM measure
                    WHERE run = ? AND round BETWEEN ? AND ?
                    """, arguments: [Data(run.bytes), rounds.lowerBound, rounds.upperBound]
            ).map { row in
                guard let node = NodeID(Array(row["node"] as Data)) else {
                    throw AdminDatabaseError.damaged(table: "measure")
                }
                return StoredMeasure(
                    round: row["round"], node: node, seconds: row["seconds"], loss: row["loss"],
                    accuracy: row["accuracy"], epsilon: row["epsilon"],
                    quality: try (row["quality"] as Data?).map {
                        try AegisAPI.decode(ModelQuality.self, from: Array($0))
                    })
            }
        }
    }

    /// What most nodes say of each round, by round: they all compute the same, and one that says
    /// otherwise is out-voted.
    package func explanations(
        of run: RunID, rounds: ClosedRange<Int>
    ) async throws -> [(round: Int, explanation: RoundExplanation)] {
        try await writer.read { db in
            var last = 0
            return try Row.fetchAll(
                db,
                sql: """
                    SELECT round, explanation FROM measure
                    WHERE run = ? AND round BETWEEN ? AND ? AND explanation IS NOT NULL
                    GROUP BY round, explanation ORDER BY round, COUNT(*) DESC, MIN(node)
                    """, arguments: [Data(run.bytes), rounds.lowerBound, rounds.upperBound]
            ).compactMap { row in
                let round: Int = row["round"]
                guard round > last else { return nil }
                last = round
                let bytes = Array(row["explanation"] as Data)
                return (round, try AegisAPI.decode(RoundExplanation.self, from: bytes))
            }
        }
    }

    /// The last round that a node has explained.
    package func lastExplained(of run: RunID) async throws -> Int? {
        try await writer.read { db in
            try Int.fetchOne(
                db,
                sql: """
                    SELECT MAX(round) FROM measure WHERE run = ? AND explanation IS NOT NULL
                    """, arguments: [Data(run.bytes)])
        }
    }

    package func figures(of run: RunID) async throws -> RunFigures {
        try await writer.read { db in
            RunFigures(
                loss: try Self.mean("loss", inThe: "MAX", of: run, db),
                accuracy: try Self.mean("accuracy", inThe: "MAX", of: run, db),
                epsilonMax: try Double.fetchOne(
                    db, sql: "SELECT MAX(epsilon) FROM measure WHERE run = ?",
                    arguments: [Data(run.bytes)]))
        }
    }

    /// The mean accuracy in the first round in which any node measured one.
    package func firstAccuracy(of run: RunID) async throws -> Double? {
        try await writer.read { try Self.mean("accuracy", inThe: "MIN", of: run, $0) }
    }

    /// Over the nodes, in the last (`MAX`) or first (`MIN`) round in which any measured it.
    private static func mean(
        _ figure: String, inThe end: String, of run: RunID, _ db: Database
    ) throws -> Double? {
        try Double.fetchOne(
            db,
            sql: """
                SELECT AVG(\(figure)) FROM measure
                WHERE run = ?1 AND \(figure) IS NOT NULL AND round = (
                    SELECT \(end)(round) FROM measure WHERE run = ?1 AND \(figure) IS NOT NULL)
                """, arguments: [Data(run.bytes)])
    }
}
