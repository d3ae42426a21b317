import AegisAPI
package import ArgumentParser
import Foundation

package struct ContextCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "context", abstract: "Keeps the admins this program talks to, by name.",
        discussion: "Kept in ~/.config/aegis, or below XDG_CONFIG_HOME.",
        subcommands: [
            ContextList.self, ContextUse.self, ContextAdd.self, ContextShow.self,
            ContextDelete.self,
        ])

    package init() {}
}

package struct ContextList: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the contexts; the one in use has a star.",
        discussion: "Example:\n  aegis context list")

    @Option(help: "text, json or yaml.") package var output: OutputFormat = .text

    package init() {}

    package func run() throws {
        let book = ContextBook(environment: ProcessInfo.processInfo.environment)
        let current = book.current
        let names = book.names
        guard output == .text else {
            let items = names.map { name -> JSONValue in
                .object(["name": .text(name), "current": .bool(name == current)])
            }
            return Console.write(
                try Output.document(
                    try AegisAPI.encodeDocument(.object(["items": .array(items)])), output))
        }
        guard !names.isEmpty else {
            return Console.write("no contexts yet: aegis context add NAME FILE\n")
        }
        Console.write(
            Table(
                [.init(""), .init("CONTEXT"), .init("URL", cutTo: 30)],
                rows: names.map { name in
                    let url = (try? Context(file: book.path(of: name)))?.url ?? "can't be read"
                    return [name == current ? "*" : "", name, url]
                }
            ).text(width: Console.columns))
    }
}

package struct ContextUse: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "use", abstract: "Makes a context the one that commands use.",
        discussion: "Example:\n  aegis context use production")

    @Argument(help: "The context's name.") package var name: String

    package init() {}

    package func run() throws {
        try ContextBook(environment: ProcessInfo.processInfo.environment).use(name)
        Console.write("commands now use \(name)\n")
    }
}

package struct ContextAdd: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Remembers a context file under a name, and uses it if it is the first.",
        discussion: "Example:\n  aegis context add production admin/credentials/context.json")

    @Argument(help: "A name for it.") package var name: String
    @Argument(help: "The context.json.", completion: .file()) package var file: String

    package init() {}

    package func run() throws {
        try ContextBook(environment: ProcessInfo.processInfo.environment).add(name, file: file)
        Console.write("context \(name) is remembered\n")
    }
}

package struct ContextShow: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows where the context in use leads.",
        discussion: "Example:\n  aegis context show")

    @Option(help: "A context's file or name; else the one in use.") package var context: String?

    package init() {}

    package func run() throws {
        let context = try Context(
            path: context, environment: ProcessInfo.processInfo.environment)
        Console.write(
            """
            url          \(context.url)
            ca           \(context.caFile)
            certificate  \(context.certificateFile)
            key          \(context.keyFile)

            """)
    }
}

package struct ContextDelete: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Forgets a context; its certificates stay.",
        discussion: "Example:\n  aegis context delete old")

    @Argument(help: "The context's name.") package var name: String

    package init() {}

    package func run() throws {
        try ContextBook(environment: ProcessInfo.processInfo.environment).delete(name)
        Console.write("context \(name) is forgotten\n")
    }
}
