package import AegisAPI
import AegisCore
package import ArgumentParser
import Foundation

package struct TokenCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Makes and lists the tokens that let nodes join.",
        subcommands: [TokenCreate.self, TokenList.self, TokenRevoke.self])

    package init() {}
}

package struct TokenCreate: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Makes a token that lets nodes join. It is shown once.",
        discussion: """
            For one member, by its name; or for several, each once, that name themselves \
            (`aegis-node join --name`). With --replaces it is for a member whose key or disk is \
            lost: a new key takes the old one's place, and the old one is never admitted again.

            Example:
              aegis token create --name hospital-a --expires 1h
              aegis token create --uses 5 --expires 30m
              aegis token create --replaces hospital-a
            """)

    @Option(help: "The member's name: lower-case letters, digits and hyphens.")
    package var name: String?

    @Option(help: "How many nodes may use it, each once.")
    package var uses: Int = 1

    @Flag(help: "Who joins with it only watches: no vote, no updates, no models.")
    package var observer = false

    @Option(help: "The member whose key or disk is lost.")
    package var replaces: String?

    @Option(help: "How long it can be used: 90s, 30m, 1h; at most 24h.")
    package var expires: String = "1h"

    @Option(help: "What it is made for; for people.")
    package var purpose: String?

    @OptionGroup package var common: CommonOptions

    package init() {}

    package func request(key: String? = nil) throws(Failure) -> APIRequest {
        guard let seconds = TimeSpan.seconds(expires) else {
            throw Failure(
                .usage, "--expires \(expires) is not a time", hint: "write 90s, 30m or 1h")
        }
        var body: [String: JSONValue] = ["expires_seconds": .integer(Int64(seconds))]
        body["name"] = (replaces ?? name).map { .text($0) }
        if uses != 1 { body["uses"] = .integer(Int64(uses)) }
        if observer { body["kind"] = "observer" }
        if replaces != nil { body["kind"] = "replacement" }
        body["purpose"] = purpose.map { .text($0) }
        return .post("/join-tokens", .object(body), key: key)
    }

    package func validate() throws {
        guard replaces == nil || name == nil && !observer else {
            throw ValidationError("--replaces stands for itself: no --name, no --observer")
        }
        guard replaces != nil || (name == nil) != (uses == 1) else {
            throw ValidationError("give --name, or --uses for several that name themselves")
        }
    }

    package func run() async throws {
        let request = try request(key: UUID().uuidString)
        try await common.withClient { client in
            let bytes = try await client.send(request)
            guard common.output == .text else {
                return Console.write(try Output.document(bytes, common.output))
            }
            let made = try AegisAPI.decode(JoinTokenCreated.self, from: bytes)
            Console.write(Self.text(made))
        }
    }

    package static func text(_ made: JoinTokenCreated) -> String {
        let through =
            made.peers?.first.map { "--peer \($0)" } ?? "--admin \(made.admin)"
        let isOpen = made.name.isEmpty
        let name = isOpen ? "NAME" : made.name
        let who =
            switch made.kind {
            case .participant: isOpen ? "\(made.usesMax) nodes" : made.name
            case .observer: isOpen ? "\(made.usesMax) observers" : "\(made.name), to watch"
            case .replacement: "\(made.name) under a new key"
            }
        let option =
            made.kind == .replacement ? "--replaces \(name) " : isOpen ? "--name \(name) " : ""
        return """
            token for \(who), \(made.usesMax == 1 ? "single use" : "each once"), \
            until \(Output.time(made.expiresAt)):

              \(made.token)

            on the machine of \(isOpen ? "each" : made.name) (choose its own port and folder):

              aegis-node join --token \(made.token) \\
                \(through) \(option)--dir \(name) --listen 127.0.0.1:8501

            """
    }
}

package struct TokenList: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists the tokens and how often they were used, never the tokens themselves.",
        discussion: "Example:\n  aegis token list --output json")

    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        try await common.withClient { client in
            let bytes = try await client.sendAll("/join-tokens")
            guard common.output == .text else {
                return Console.write(try Output.document(bytes, common.output))
            }
            let list = try AegisAPI.decode(Items<JoinTokenView>.self, from: bytes)
            Console.write(Self.text(list.items))
        }
    }

    package static func text(_ tokens: [JoinTokenView]) -> String {
        guard !tokens.isEmpty else { return "no tokens yet: aegis token create --name NAME\n" }
        return Table(
            [
                .init("TOKEN"), .init("NAME", cutTo: 12), .init("FOR", cutTo: 11),
                .init("STATE"), .init("EXPIRES"),
            ],
            rows: tokens.map { token in
                [
                    token.id, token.name.isEmpty ? "-" : token.name, token.kind.rawValue,
                    token.usesMax == 1
                        ? token.state.rawValue
                        : "\(token.state.rawValue) \(token.uses)/\(token.usesMax)",
                    Output.time(token.expiresAt),
                ]
            }
        ).text(width: Console.columns)
    }
}

package struct TokenRevoke: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Revokes a token that is not used up.",
        discussion: "Example:\n  aegis token revoke 34545a5351c0fc79")

    @Argument(help: "The token's id, as `token list` has it.") package var token: String
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        let path = "/join-tokens/" + (try PathSegment.of(token, "token"))
        try await common.withClient { _ = try await $0.send(.delete(path)) }
        if common.output == .text { Console.write("token \(token) is revoked\n") }
    }
}
