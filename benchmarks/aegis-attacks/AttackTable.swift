import AegisReport
import AegisSimulation
import Glibc

/// `aegis-attacks DATA OUT [--quick] [--softmax]`: trains a model under every attack, rule, split
/// and seed, and writes what became of it. `benchmarks/attacks` calls it.
struct AttackTable {
    private let dataFolder: String
    private let outFolder: String
    private let seeds: [UInt64]
    private var setting = Setting()

    init(_ arguments: [String]) throws {
        var folders: [String] = []
        var seeds: [UInt64] = [1, 2, 3]
        for argument in arguments {
            switch argument {
            case "--quick":
                setting.rounds = 3
                seeds = [1]
            case "--softmax":
                setting.hidden = []
            default: folders.append(argument)
            }
        }
        guard folders.count == 2 else { throw UsageError() }
        (dataFolder, outFolder) = (folders[0], folders[1])
        self.seeds = seeds
    }

    struct UsageError: Error, CustomStringConvertible {
        let description = "usage: aegis-attacks DATA OUT [--quick] [--softmax]"
    }

    func run() throws {
        var table = try RunTable(path: "\(outFolder)/runs.csv")
        let images = try ImageFolder(
            path: dataFolder, train: setting.trainRecords, test: setting.testRecords)
        let total =
            Split.allCases.count * seeds.count * Attack.catalogue.count
            * TableRule.all.count
        var progress = Progress(total: total, done: table.outcomes.count)
        for split in Split.allCases {
            for seed in seeds {
                let experiment = try Experiment(
                    setting, images: images, split: split, seed: seed)
                for attack in Attack.catalogue {
                    for rule in TableRule.all {
                        let key = RunKey(
                            split: split, attack: attack.name, rule: rule.name, seed: seed)
                        guard table.outcomes[key] == nil else { continue }
                        try table.add(try experiment.run(attack, rule: rule), key)
                        progress.advance("\(split.rawValue) \(attack.name) \(rule.name)")
                    }
                }
            }
        }
        progress.finish()
        try write(table)
    }

    private func write(_ table: RunTable) throws {
        let summary = Summary(
            table: table, attacks: Attack.catalogue.map(\.name), rules: TableRule.all,
            seeds: seeds)
        let files = [
            ("attacks.csv", summary.csv), ("attacks.md", summary.markdown(setting: setting)),
            ("attacks.svg", summary.heatMap.svg),
        ]
        for (name, text) in files {
            let path = "\(outFolder)/\(name)"
            guard let file = fopen(path, "wb") else { throw ImageFolderError.cannotOpen(path) }
            defer { fclose(file) }
            fputs(text, file)
        }
        Stream.write(summary.markdown(setting: setting))
    }
}

/// One line on standard error that is drawn anew, where that is a terminal; else one now and then.
private struct Progress {
    private let total: Int
    private var done: Int
    private let isTerminal = isatty(2) == 1

    init(total: Int, done: Int) {
        self.total = total
        self.done = done
    }

    mutating func advance(_ what: String) {
        done += 1
        if isTerminal {
            Stream.writeError("\r\u{1b}[K\(done) of \(total)  \(what)")
        } else if done.isMultiple(of: 50) {
            Stream.writeError("\(done) of \(total) runs\n")
        }
    }

    func finish() {
        if isTerminal { Stream.writeError("\r\u{1b}[K") }
    }
}
