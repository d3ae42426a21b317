package import AegisAPI
package import ArgumentParser

package struct TokenCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Makes and lists the single-use tokens that let a node join.",
        subcommands: [TokenCreate.self, TokenList.self])

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

    @OptionGroup package var common: CommonOptions

    package init() {}

    package func request() throws(Failure) -> APIRequest {
        guard let seconds = Self.seconds(expires) else {
            throw Failure(
                .usage, "--expires \(expires) is not a time", hint: "write 90s, 30m or 1h")
        }
        return .post(
            "/join-tokens",
            .object(["name": .text(name), "expires_seconds": .integer(Int64(seconds))]))
    }

    package func run() async throws {
        let request = try request()
        try await common.withClient { client in
            let bytes = try await client.send(request)
            guard common.output == .text else { return Console.write(try Output.json(bytes)) }
            let made = try AegisAPI.decode(JoinTokenCreated.self, from: bytes)
            Console.write(Self.text(made))
        }
    }

    package static func text(_ made: JoinTokenCreated) -> String {
        """
        token for \(made.name), single use, until \(Output.time(made.expiresAt)):

          \(made.token)

        on the machine of \(made.name) (choose its own port and folder):

          aegis-node join --token \(made.token) \\
            --admin \(made.admin) --dir \(made.name) --listen 127.0.0.1:8501

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
            let bytes = try await client.send(.get("/join-tokens"))
            guard common.output == .text else { return Console.write(try Output.json(bytes)) }
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
