package import AegisAPI
package import ArgumentParser

package struct NodeCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "node", abstract: "Shows the nodes of the mesh.",
        subcommands: [
            NodeList.self, NodeShow.self, NodeStatusCommand.self, NodePromote.self,
            NodeSuspend.self, NodeResume.self,
            NodeEvict.self,
        ])

    package init() {}
}

package struct NodeList: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists the nodes: state, height, memory and spent privacy budget.",
        discussion: "Example:\n  aegis node list")

    @OptionGroup package var watch: WatchOptions
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        try await common.show(
            watch: watch, { try await $0.sendAll("/participants") },
            as: Items<ParticipantView>.self
        ) { Self.text($0.items) }
    }

    package static func text(_ nodes: [ParticipantView]) -> String {
        guard !nodes.isEmpty else { return "no node has joined yet\n" }
        let table = Table(
            [
                .init("NAME", cutTo: 12), .init("NODE"), .init("ADDRESS", cutTo: 14),
                .init("STATE"), .init("HEIGHT", .right), .init("MB", .right),
                .init("EPSILON", .right),
            ],
            rows: nodes.map { node in
                [
                    node.name, String(node.node.prefix(8)), node.address, state(node),
                    node.status.map { "\($0.height)" } ?? "-",
                    Output.number(node.status?.peakResidentMegabytes, places: 0),
                    epsilon(node.status),
                ]
            })
        return table.text(width: Console.columns) + refusals(nodes)
    }

    static func state(_ node: ParticipantView) -> String {
        if let standing = node.standing, standing != .participant { return standing.rawValue }
        return node.reachable ? node.status?.state.rawValue ?? "up" : "no answer"
    }

    /// The most spent data set against its budget.
    private static func epsilon(_ status: NodeStatus?) -> String {
        let privacy = status?.privacy.max { $0.epsilon < $1.epsilon }
        guard let privacy else { return "-" }
        return Output.number(privacy.epsilon, places: 2) + "/"
            + Output.number(privacy.budgetEpsilon, places: 2)
    }

    private static func refusals(_ nodes: [ParticipantView]) -> String {
        let lines = nodes.flatMap { node in
            (node.status?.refusals ?? []).map { refusal in
                "\(node.name) refused \(refusal.peer): \(refusal.reason) (\(refusal.count)x)\n"
            }
        }
        return lines.isEmpty ? "" : "\n" + lines.joined()
    }
}

package struct NodeShow: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows one node: what it does and what it has spent.",
        discussion: "Example:\n  aegis node show north --watch")

    @Argument(help: "The node's name or id.") package var node: String
    @OptionGroup package var watch: WatchOptions
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        let path = "/participants/" + (try PathSegment.of(node, "node"))
        try await common.show(
            watch: watch, { try await $0.send(.get(path)) }, as: ParticipantView.self, Self.text)
    }

    package static func text(_ node: ParticipantView) -> String {
        var lines = [
            "node \(node.name)  \(NodeList.state(node))", "id \(node.node)",
            "address \(node.address)",
        ]
        if let seen = node.lastSeen { lines.append("last seen \(Output.time(seen))") }
        if let run = node.status?.run {
            lines.append("works on \(run.name), round \(run.round) of \(run.rounds): \(run.phase)")
        }
        let head = lines.map { $0 + "\n" }.joined()
        let budgets = (node.status?.privacy ?? []).map {
            BudgetView(
                participant: node.name, dataset: $0.dataset, epsilon: $0.epsilon,
                delta: $0.delta, budgetEpsilon: $0.budgetEpsilon)
        }
        return budgets.isEmpty ? head : head + "\n" + BudgetList.text(budgets)
    }
}
