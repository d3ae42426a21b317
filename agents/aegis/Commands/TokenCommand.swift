package import AegisAPI
package import ArgumentParser
import Foundation

package struct TokenCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Makes and lists the single-use tokens that let a node join.",
        subcommands: [TokenCreate.self, TokenList.self, TokenRevoke.self])

    package init() {}
}

package struct TokenCreate: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Makes a token for one participant. It is shown once.",
        discussion: "Example:\n  aegis token create --name hospital-a --expires 1h")

    @Option(help: "The participant's name: lower-case letters, digits and hyphens.")
    package var name: String

    @Option(help: "How long it can be used: 90s, 30m, 1h; at most 24h.")
    package var expires: String = "1h"

    @Option(help: "What it is made for; for people.")
    package var purpose: String?

    @OptionGroup package var common: CommonOptions

    package init() {}

    package func request(key: String? = nil) throws(Failure) -> APIRequest {
        guard let seconds = Self.seconds(expires) else {
            throw Failure(
                .usage, "--expires \(expires) is not a time", hint: "write 90s, 30m or 1h")
        }
        var body: [String: JSONValue] = [
            "name": .text(name), "expires_seconds": .integer(Int64(seconds)),
        ]
        body["purpose"] = purpose.map { .text($0) }
        return .post("/join-tokens", .object(body), key: key)
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
        return """
            token for \(made.name), single use, until \(Output.time(made.expiresAt)):

              \(made.token)

            on the machine of \(made.name) (choose its own port and folder):

              aegis-node join --token \(made.token) \\
                \(through) --dir \(made.name) --listen 127.0.0.1:8501

            """
    }

    package static func seconds(_ text: String) -> Int? {
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        guard let last = text.last, let unit = units[last],
            let count = Int(text.dropLast()), count > 0
        else { return nil }
        let (seconds, overflow) = count.multipliedReportingOverflow(by: unit)
        return overflow ? nil : seconds
    }
}

package struct TokenList: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists the tokens and who used them, never the tokens themselves.",
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
                .init("TOKEN"), .init("NAME", cutTo: 12), .init("STATE"), .init("EXPIRES"),
                .init("USED BY"),
            ],
            rows: tokens.map { token in
                [
                    token.id, token.name, token.state.rawValue, Output.time(token.expiresAt),
                    token.usedBy.map { String($0.prefix(8)) } ?? "-",
                ]
            }
        ).text(width: Console.columns)
    }
}

package struct TokenRevoke: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Revokes a token that nobody has used.",
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
