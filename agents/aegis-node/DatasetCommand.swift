import AegisNode
import AegisPrivacy
import ArgumentParser

struct DatasetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dataset",
        abstract: "Declare the data this node trains on, and its privacy budget.",
        subcommands: [Add.self, List.self, Recover.self])

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

    struct Recover: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say what was spent of a data set whose privacy ledger is lost.",
            discussion: """
                A node that finds no ledger of a data set, while the mesh has decided on updates \
                that this participant made from it (under an earlier key, from an earlier disk), \
                trains on nothing until its owner has said what was spent. If the ledger's file \
                can be had, put it back instead.

                By default every round that the mesh knows of counts as spent once; --attempts 2 \
                if rounds may have been trained again after crashes. --spent nothing: these are \
                records that nobody has ever trained on. The node must be stopped.

                Example:
                  aegis-node dataset recover --dir north fashion-mnist --attempts 2
                """)

        @OptionGroup var directory: DirectoryOption
        @Argument(help: "The data set's name.")
        var name: String
        @Option(help: "What was spent: chain (what the mesh knows of) or nothing.")
        var spent: SpentChoice = .chain
        @Option(help: "How often each round may have been trained.")
        var attempts: Int = 1

        func validate() throws {
            guard (1...100).contains(attempts) else {
                throw ValidationError("--attempts needs 1 to 100")
            }
        }

        func run() async throws {
            try await reportingFailure {
                let outcome = try LedgerRecovery(NodeDirectory(directory.dir)).recover(
                    name, spent: spent == .nothing ? .nothing : .chain(attempts: attempts))
                let runs = outcome.runs.joined(separator: ", ")
                print(
                    "\(name): \(outcome.rounds) rounds count as spent"
                        + (runs.isEmpty ? "" : " (\(runs))"))
                print(
                    "ε \((outcome.epsilon * 1_000).rounded() / 1_000) of "
                        + "\(outcome.budget.epsilon) at δ \(outcome.budget.delta)")
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

enum SpentChoice: String, ExpressibleByArgument, CaseIterable {
    case chain, nothing
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
