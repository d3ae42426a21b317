import AegisNode
import AegisPrivacy
import ArgumentParser

struct DatasetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dataset",
        abstract: "Declare the data this node trains on, and its privacy budget.",
        subcommands: [Add.self, List.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Declare a data set.",
            discussion: """
                Example, the first of five slices of one folder, for a demonstration:
                  aegis-node dataset add --dir north fashion-mnist \\
                    --source /usr/share/datasets/fashion-mnist --slice 0/5 \\
                    --budget-epsilon 3 --budget-delta 1e-5
                """)

        @OptionGroup var directory: DirectoryOption
        @Argument(help: "The name that run specifications use.")
        var name: String
        @Option(help: "Folder with four IDX files (gzipped or not), or a declaration: FILE.yaml.")
        var source: String
        @Option(help: "Use slice I of N, counted from 0, as I/N.")
        var slice: String?
        @Option(help: "How slices are cut: iid, or dirichlet:ALPHA for skewed labels.")
        var partition: String = "iid"
        @Option(help: "Seed of the cut; the same for all nodes that share the folder.")
        var seed: UInt64 = 1
        @Option(help: "Lifetime privacy budget: epsilon.")
        var budgetEpsilon: Double
        @Option(help: "Lifetime privacy budget: delta.")
        var budgetDelta: Double = 1e-5
        @Option(help: "The most epsilon that one run may cost.")
        var perRun: Double?
        @Option(help: "The most epsilon within any stretch of days, as EPSILON/DAYS.")
        var perPeriod: PeriodBudgetDeclaration?
        @Option(help: "The least noise multiplier that a run may use.")
        var leastNoise: Double?
        @Option(help: "Which generator makes the noise: fast or exact.")
        var noise: NoiseChoice = .fast
        @Option(help: "Public weight in runs with a weighted rule; 1 where absent.")
        var weight: UInt64?

        func run() async throws {
            try await reportingFailure {
                let declaration = DatasetDeclaration(
                    name: name, source: source,
                    slice: try SliceDeclaration(
                        slice: slice, partition: partition, seed: seed),
                    budget: BudgetDeclaration(
                        epsilon: budgetEpsilon, delta: budgetDelta, perRun: perRun,
                        perPeriod: perPeriod, noiseMultiplierMin: leastNoise),
                    noise: noise.generator, weight: weight)
                try NodeDirectory(directory.dir).addDataset(declaration)
                print("data set \(name) declared in \(directory.dir)/node.yaml")
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the declared data sets.")
        @OptionGroup var directory: DirectoryOption

        func run() async throws {
            try await reportingFailure {
                for dataset in try NodeDirectory(directory.dir).configuration().datasets {
                    let budget = dataset.budget
                    print("\(dataset.name)  ε \(budget.epsilon) at δ \(budget.delta)")
                }
            }
        }
    }
}

enum NoiseChoice: String, ExpressibleByArgument, CaseIterable {
    case fast, exact

    var generator: NoiseGenerator {
        switch self {
        case .fast: .fast
        case .exact: .exact
        }
    }
}

extension PeriodBudgetDeclaration: ExpressibleByArgument {
    public init?(argument: String) {
        let parts = argument.split(separator: "/").compactMap { Double($0) }
        guard parts.count == 2, argument.filter({ $0 == "/" }).count == 1 else { return nil }
        self.init(epsilon: parts[0], days: parts[1])
    }
}
