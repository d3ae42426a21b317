package import AegisAPI
package import ArgumentParser
import Foundation

package struct DatasetCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "dataset", abstract: "Registers, lists and retires data sets.",
        subcommands: [
            DatasetList.self, DatasetShow.self, DatasetRegister.self, DatasetRetire.self,
        ])

    package init() {}

    static func path(_ dataset: String) throws(Failure) -> String {
        "/datasets/" + (try PathSegment.of(dataset, "data set"))
    }
}

package struct DatasetList: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the data sets, who holds them, what is spent.",
        discussion: "Example:\n  aegis dataset list")

    @OptionGroup package var watch: WatchOptions
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        try await common.show(
            watch: watch, { try await $0.sendAll("/datasets") }, as: Items<DatasetView>.self
        ) { Self.text($0.items) }
    }

    package static func text(_ datasets: [DatasetView]) -> String {
        guard !datasets.isEmpty else { return "no data sets yet: aegis dataset register NAME\n" }
        return Table(
            [
                .init("DATA SET", cutTo: 14), .init("STATE"), .init("HOLDERS", .right),
                .init("MOST SPENT", .right), .init("DESCRIPTION", cutTo: 10),
            ],
            rows: datasets.map { data in
                let most = data.holders.max { $0.epsilon < $1.epsilon }
                return [
                    data.name, data.state.rawValue, "\(data.holders.count)",
                    most.map {
                        Output.number($0.epsilon, places: 2) + "/"
                            + Output.number($0.budgetEpsilon, places: 2)
                    } ?? "-", data.description ?? "-",
                ]
            }
        ).text(width: Console.columns)
    }
}

package struct DatasetShow: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows one data set and its budgets.",
        discussion: "Example:\n  aegis dataset show readmissions")

    @Argument(help: "The data set's name.") package var dataset: String
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        let path = try DatasetCommand.path(dataset)
        try await common.show({ try await $0.send(.get(path)) }, as: DatasetView.self, Self.text)
    }

    package static func text(_ data: DatasetView) -> String {
        var head = "data set \(data.name)  \(data.state.rawValue)\n"
        if let description = data.description, !description.isEmpty { head += description + "\n" }
        if let features = data.features { head += "features \(features)\n" }
        if let classes = data.classes { head += "classes \(classes)\n" }
        return data.holders.isEmpty ? head : head + "\n" + BudgetList.text(data.holders)
    }
}

package struct DatasetRegister: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "register", abstract: "Registers a data set: its name and look, never a row.",
        discussion: "Example:\n  aegis dataset register readmissions --features 48 --classes 2")

    @Argument(help: "The name that nodes and runs use.") package var dataset: String
    @Option(help: "What a record is.") package var description: String = ""
    @Option(help: "Numbers in a record.") package var features: Int?
    @Option(help: "Classes to tell apart.") package var classes: Int?
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func request() -> APIRequest {
        var body: [String: JSONValue] = [
            "name": .text(dataset), "description": .text(description),
        ]
        body["features"] = features.map { .integer(Int64($0)) }
        body["classes"] = classes.map { .integer(Int64($0)) }
        return .post("/datasets", .object(body), key: UUID().uuidString)
    }

    package func run() async throws {
        let request = request()
        try await common.show(
            { try await $0.send(request) }, as: DatasetView.self, DatasetShow.text)
    }
}

package struct DatasetRetire: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "retire", abstract: "Lets no new run use a data set.",
        discussion: "Example:\n  aegis dataset retire readmissions")

    @Argument(help: "The data set's name.") package var dataset: String
    @Flag(help: "Let runs use it again.") package var undo = false
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        let path = try DatasetCommand.path(dataset)
        try await common.show(
            { try await $0.change(path, .object(["retired": .bool(!undo)])) },
            as: DatasetView.self, DatasetShow.text)
    }
}

package struct BudgetCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "budget", abstract: "Shows what is spent of the privacy budgets.",
        subcommands: [BudgetList.self])

    package init() {}
}

package struct BudgetList: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists each participant's budget for each data set.",
        discussion: "Example:\n  aegis budget list --watch")

    @OptionGroup package var watch: WatchOptions
    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        try await common.show(
            watch: watch, { try await $0.sendAll("/privacy/budgets") },
            as: Items<BudgetView>.self
        ) { Self.text($0.items) }
    }

    package static func text(_ budgets: [BudgetView]) -> String {
        guard !budgets.isEmpty else { return "no node has declared a data set\n" }
        return Table(
            [
                .init("PARTICIPANT", cutTo: 16), .init("DATA SET", cutTo: 16),
                .init("EPSILON", .right), .init("BUDGET", .right), .init("LEFT", .right),
                .init("DELTA", .right),
            ],
            rows: budgets.map { budget in
                [
                    budget.participant, budget.dataset, Output.number(budget.epsilon, places: 3),
                    Output.number(budget.budgetEpsilon, places: 3),
                    Output.number(max(0, budget.budgetEpsilon - budget.epsilon), places: 3),
                    "\(budget.delta)",
                ]
            }
        ).text(width: Console.columns)
    }
}

package struct RuleCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "rule", abstract: "Shows the aggregation rules.",
        subcommands: [RuleList.self])

    package init() {}
}

package struct RuleList: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the rules and what they need in this mesh.",
        discussion: "Example:\n  aegis rule list")

    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        try await common.show(
            { try await $0.send(.get("/aggregation/rules")) },
            as: Items<AggregationRuleView>.self
        ) { Self.text($0.items) }
    }

    package static func text(_ rules: [AggregationRuleView]) -> String {
        Table(
            [
                .init("RULE"), .init("HOSTILE UPDATES WITHSTOOD HERE", .right),
                .init("UPDATES NEEDED FOR 0, 1, 2 …", cutTo: 16),
            ],
            rows: rules.map { rule in
                [
                    rule.rule, "\(rule.byzantineMax)",
                    rule.updatesMin.map { "\($0)" }.joined(separator: ", "),
                ]
            }
        ).text(width: Console.columns)
    }
}
