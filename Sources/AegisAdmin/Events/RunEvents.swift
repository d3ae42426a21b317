import AegisAPI

/// A run as its followers see it: what it is, its last rounds, what the nodes do now.
struct RunSnapshot: Sendable {
    let isOver: Bool
    let run: [UInt8]
    let rounds: [(round: Int, data: [UInt8])]
    let progress: [UInt8]

    static let roundsMax = 64
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

        mutating func add(_ round: Int, _ data: [UInt8], to news: inout EventStream.News) {
            let isNew = round > self.round
            guard isNew || sent[round].map({ $0 != data }) ?? false else { return }
            sent[round] = data
            sent[round - RunDrops.changingRounds] = nil
            self.round = max(round, self.round)
            // A round that is told again doesn't set the client back.
            news.events.append(
                ServerEvent(id: isNew ? "\(round)" : nil, name: "round", data: data))
        }
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
        if let first = snapshot.rounds.first?.round, position.round + 1 < first {
            let missed = try await desk.rounds(
                name, after: position.round, limit: RunSnapshot.roundsMax
            ).filter { $0.round < first }
            for round in missed {
                position.add(round.round, Array(try AegisAPI.encode(round)), to: &news)
            }
            news.goesOn = !missed.isEmpty
            if news.goesOn { return news }
        }
        for (round, data) in snapshot.rounds { position.add(round, data, to: &news) }
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
        let rounds = try await newestRounds(name, limit: RunSnapshot.roundsMax)
        let progress = try await progress(of: run)
        return RunSnapshot(
            isOver: run.state.isOver, run: Array(try AegisAPI.encode(run)),
            rounds: try rounds.map { ($0.round, Array(try AegisAPI.encode($0))) },
            progress: Array(try AegisAPI.encode(progress)))
    }
}
