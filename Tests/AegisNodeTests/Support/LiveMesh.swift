import AegisAPI
import AegisCore
import AegisNode
import AegisProtocol
import AegisTransport
import NIOPosix
import Testing

/// A node of a test mesh that runs in this process, with real sockets.
struct LiveNode: Sendable {
    let member: TestMesh.Member
    let log: LogRecorder
    let renewal = RenewalRequest()
    private let task: Task<Void, any Error>

    init(
        _ member: TestMesh.Member, spoken: ClosedRange<Int> = MeshVersion.spoken
    ) {
        let log = LogRecorder()
        let service = NodeService(
            directory: member.directory, logger: log.logger, renewal: renewal,
            spoken: spoken)
        self.member = member
        self.log = log
        task = Task { try await service.run() }
    }

    /// Ends it as a signal to the process would.
    func stop() async {
        task.cancel()
        _ = await task.result
    }
}

/// The admin's connection to the nodes: sends commands, reads their status.
struct AdminClient: Sendable {
    static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    let client: MeshClient
    private let mesh: TestMesh

    init(_ mesh: TestMesh) async throws {
        self.mesh = mesh
        client = MeshClient(
            identity: try mesh.tls(mesh.admin), eventLoopGroup: Self.group)
        await client.setPeers(
            Dictionary(uniqueKeysWithValues: mesh.members.map { ($0.node, $0.address) }))
    }

    /// With all rounds of the last run, however many answers it takes; nil where nobody answers.
    func status(of node: LiveNode) async throws -> NodeStatus? {
        var place: UInt64 = 0
        var told: [RoundMeasurement] = []
        while true {
            guard
                let json = try? await client.get(
                    "/mesh/v1/status?measured=\(place)", from: node.member.node)
            else { return nil }
            var status = try AegisAPI.decode(NodeStatus.self, from: json)
            told += status.rounds
            place = try #require(status.measured)
            guard status.rounds.count < NodeStatus.roundsMax else { continue }
            let run = told.max { $0.height < $1.height }?.run
            let rounds = told.filter { $0.run == run }.map { ($0.round, $0) }
            status.rounds = Dictionary(rounds) { $1 }.values.sorted { $0.round < $1.round }
            return status
        }
    }

    func statuses(of nodes: [LiveNode]) async throws -> [NodeStatus] {
        var statuses: [NodeStatus] = []
        for node in nodes {
            if let status = try await status(of: node) { statuses.append(status) }
        }
        return statuses
    }

    func post(_ envelope: SignedEnvelope, to nodes: [LiveNode]) async throws {
        for node in nodes {
            try await client.post(statements: [envelope.bytes], to: node.member.node)
        }
    }

    /// Waits until every node answers.
    func ready(_ nodes: [LiveNode]) async throws {
        try await eventually("every node serves") {
            try await statuses(of: nodes).count == nodes.count
        }
    }

    /// Waits until all of them have decided so many rounds of the run, and it is over.
    func finished(_ nodes: [LiveNode], rounds: Int) async throws -> [NodeStatus] {
        try await awaited("\(rounds) rounds on every node", within: .seconds(60)) {
            let statuses = try await statuses(of: nodes)
            let isDone =
                statuses.count == nodes.count
                && statuses.allSatisfy { $0.run == nil && $0.rounds.count == rounds }
            return isDone ? statuses : nil
        }
    }
}

/// Runs `body` with these members as services, and stops them however it ends.
func withNodes(
    _ mesh: TestMesh, _ members: some Sequence<TestMesh.Member>,
    spoken: [String: ClosedRange<Int>] = [:],
    _ body: ([LiveNode], AdminClient) async throws -> Void
) async throws {
    let nodes = members.map { LiveNode($0, spoken: spoken[$0.name] ?? MeshVersion.spoken) }
    let admin = try await AdminClient(mesh)
    let result: Result<Void, any Error>
    do {
        try await admin.ready(nodes)
        result = .success(try await body(nodes, admin))
    } catch {
        for node in nodes {
            for line in node.log.lines { Issue.record("\(node.member.name): \(line)") }
        }
        result = .failure(error)
    }
    for node in nodes { await node.stop() }
    await admin.client.shutdown()
    try result.get()
}

/// Every round has one model, whoever tells it.
func expectSameModels(_ statuses: [NodeStatus], rounds: Int) {
    let models = statuses.map { status in status.rounds.map(\.model) }
    #expect(Set(models).count == 1, "\(models)")
    #expect(models.first?.count == rounds)
    #expect(statuses.allSatisfy { $0.rounds.map(\.round) == Array(1...rounds) })
    #expect(Set(statuses.map(\.height)).count == 1)
}
