package import AegisAPI
package import ArgumentParser

package struct MeshMembers: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "members",
        abstract: "Lists the members of a founded mesh: who votes, who learns, who is suspended.",
        discussion: "Example:\n  aegis mesh members")

    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        try await common.show(
            { try await $0.sendAll("/members") }, as: Items<MemberView>.self
        ) { Self.text($0.items) }
    }

    package static func text(_ members: [MemberView]) -> String {
        Table(
            [.init("NAME", cutTo: 12), .init("STANDING"), .init("ADDRESS"), .init("NODE")],
            rows: members.map {
                [$0.name, $0.standing.rawValue, $0.address, String($0.node.prefix(8))]
            }
        ).text(width: Console.columns)
    }
}

/// What `promote`, `suspend`, `resume` and `evict` have in common.
private func ask(
    _ verb: String, _ member: String, reason: String?, _ common: CommonOptions
) async throws {
    let path = "/members/" + (try PathSegment.of(member, "member")) + "/" + verb
    try await common.withClient { client in
        _ = try await client.send(
            .post(path, .object(reason.map { ["reason": .text($0)] } ?? [:])))
    }
    Console.write("the mesh is asked; see `aegis mesh members`\n")
}

package struct NodePromote: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "promote",
        abstract: "Gives a node that has joined a running mesh its vote.",
        discussion: "It must be ready: at the tip of the chain.\n\nExample:\n"
            + "  aegis node promote hospital-d")

    @Argument(help: "The member's name or id.") package var member: String
    @OptionGroup package var common: CommonOptions
    package init() {}
    package func run() async throws { try await ask("promote", member, reason: nil, common) }
}

package struct NodeSuspend: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "suspend",
        abstract: "Lets a participant's vote rest until it is resumed.",
        discussion: "Example:\n  aegis node suspend hospital-d --reason maintenance")

    @Argument(help: "The member's name or id.") package var member: String
    @Option(help: "Why; the decision keeps it.") package var reason: String?
    @OptionGroup package var common: CommonOptions
    package init() {}
    package func run() async throws { try await ask("suspend", member, reason: reason, common) }
}

package struct NodeResume: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Gives a suspended participant its vote back.",
        discussion: "Example:\n  aegis node resume hospital-d")

    @Argument(help: "The member's name or id.") package var member: String
    @OptionGroup package var common: CommonOptions
    package init() {}
    package func run() async throws { try await ask("resume", member, reason: nil, common) }
}

package struct NodeEvict: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "evict",
        abstract: "Takes a member out of the mesh, for good.",
        discussion: "Its key is never admitted again; its connections are closed at once. At most "
            + "one participant in 24 hours.\n\nExample:\n"
            + "  aegis node evict hospital-d --reason 'key stolen'")

    @Argument(help: "The member's name or id.") package var member: String
    @Option(help: "Why; the decision keeps it.") package var reason: String?
    @OptionGroup package var common: CommonOptions
    package init() {}
    package func run() async throws { try await ask("evict", member, reason: reason, common) }
}
