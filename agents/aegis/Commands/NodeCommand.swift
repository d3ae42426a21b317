package import AegisAPI
package import ArgumentParser

package struct NodeCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "node", abstract: "Shows the nodes of the mesh.",
        subcommands: [NodeList.self])

    package init() {}
}

package struct NodeList: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists the nodes: state, height, memory and spent privacy budget.",
        discussion: "Example:\n  aegis node list")

    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        try await common.withClient { client in
            let bytes = try await client.send(.get("/participants"))
            guard common.output == .text else { return Console.write(try Output.json(bytes)) }
            let list = try AegisAPI.decode(Items<ParticipantView>.self, from: bytes)
            Console.write(Self.text(list.items))
        }
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

    private static func state(_ node: ParticipantView) -> String {
        node.reachable ? node.status?.state.rawValue ?? "up" : "no answer"
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
