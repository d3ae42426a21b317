import AegisAPI

/// A run as its followers see it: what it is, its rounds, what the nodes do now.
struct RunSnapshot: Sendable {
    let isOver: Bool
    let run: [UInt8]
    let rounds: [(round: Int, data: [UInt8])]
    let progress: [UInt8]
}

/// The news of one run: `run` when anything of it changes, `round` for each committed round,
/// numbered by it so that a client that comes back misses none, `progress` of the nodes, and `end`.
struct RunEvents: Sendable {
    private let name: String
    private let desk: RunDesk
    private let cache: SnapshotCache<RunSnapshot>

    struct Position: Sendable {
        var round: Int
        var run: [UInt8] = []
        var progress: [UInt8] = []
        /// What was sent of the latest rounds, which late measures may change.
        var sent: [Int: [UInt8]] = [:]

        /// Later than this no node measures.
        static let changingRounds = 8
    }

    init(_ name: String, desk: RunDesk, cache: SnapshotCache<RunSnapshot>) {
        self.name = name
        self.desk = desk
        self.cache = cache
    }

    func news(_ position: inout Position, at revision: UInt64) async throws -> EventStream.News {
        let desk = desk
        let name = name
        let snapshot = try await cache.value(name, at: revision) { try await desk.snapshot(name) }
        var news = EventStream.News()
        if snapshot.run != position.run {
            position.run = snapshot.run
            news.events.append(ServerEvent(id: nil, name: "run", data: snapshot.run))
        }
        for (round, data) in snapshot.rounds {
            let isNew = round > position.round
            guard isNew || position.sent[round].map({ $0 != data }) ?? false else { continue }
            position.sent[round] = data
            position.sent[round - Position.changingRounds] = nil
            position.round = max(round, position.round)
            // A round that is told again doesn't set the client back.
            news.events.append(
                ServerEvent(id: isNew ? "\(round)" : nil, name: "round", data: data))
        }
        if snapshot.progress != position.progress {
            position.progress = snapshot.progress
            news.events.append(ServerEvent(id: nil, name: "progress", data: snapshot.progress))
        }
        if snapshot.isOver {
            news.isOver = true
            news.events.append(ServerEvent(id: nil, name: "end", data: snapshot.run))
        }
        return news
    }
}

extension RunDesk {
    func snapshot(_ name: String) async throws -> RunSnapshot {
        let run = try await view(name)
        let rounds = try await rounds(name)
        let progress = try await progress(of: run)
        return RunSnapshot(
            isOver: run.state.isOver, run: Array(try AegisAPI.encode(run)),
            rounds: try rounds.map { ($0.round, Array(try AegisAPI.encode($0))) },
            progress: Array(try AegisAPI.encode(progress)))
    }
}
