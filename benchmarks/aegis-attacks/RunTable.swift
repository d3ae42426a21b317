import AegisReport
import AegisSimulation
import Glibc

/// One run of the table.
struct RunKey: Hashable {
    let split: Split
    let attack: String
    let rule: String
    let seed: UInt64
}

/// The runs made so far, kept in a CSV file that grows with each, so that an interrupted table
/// goes on where it was.
struct RunTable {
    private(set) var outcomes: [RunKey: Outcome] = [:]
    private let path: String

    private static let header = ["split", "attack", "rule", "seed", "accuracy", "backdoor_success"]

    init(path: String) throws {
        self.path = path
        guard let text = Self.contents(of: path) else {
            try append(CSV.encode(header: Self.header, rows: []))
            return
        }
        let lines = text.split(separator: "\n").dropFirst()
        for (index, line) in lines.enumerated() {
            let fields = line.split(separator: ",").map(String.init)
            guard fields.count == 6, let split = Split(rawValue: fields[0]),
                let seed = UInt64(fields[3]), let accuracy = Double(fields[4]),
                let success = Double(fields[5])
            else { throw ExperimentError.malformedResults(line: index + 2) }
            let key = RunKey(split: split, attack: fields[1], rule: fields[2], seed: seed)
            outcomes[key] = Outcome(accuracy: accuracy, backdoorSuccess: success)
        }
    }

    mutating func add(_ outcome: Outcome, _ key: RunKey) throws {
        outcomes[key] = outcome
        let row = [
            key.split.rawValue, key.attack, key.rule, "\(key.seed)",
            Decimal.fixed(outcome.accuracy, places: 2),
            Decimal.fixed(outcome.backdoorSuccess, places: 2),
        ]
        try append(row.joined(separator: ",") + "\n")
    }

    private func append(_ text: String) throws {
        guard let file = fopen(path, "ab") else { throw ImageFolderError.cannotOpen(path) }
        defer { fclose(file) }
        fputs(text, file)
    }

    private static func contents(of path: String) -> String? {
        guard let file = fopen(path, "rb") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }
}

/// The runs as people read them: the worst of the seeds in each cell.
struct Summary {
    let table: RunTable
    let attacks: [String]
    let rules: [TableRule]
    let seeds: [UInt64]

    private func outcomes(_ split: Split, _ attack: String, _ rule: TableRule) -> [Outcome] {
        seeds.compactMap {
            table.outcomes[RunKey(split: split, attack: attack, rule: rule.name, seed: $0)]
        }
    }

    func accuracy(_ split: Split, _ attack: String, _ rule: TableRule) -> Double? {
        outcomes(split, attack, rule).map(\.accuracy).min()
    }

    func backdoorSuccess(_ split: Split, _ rule: TableRule, attack: String) -> Double? {
        outcomes(split, attack, rule).map(\.backdoorSuccess).max()
    }

    /// The worst attack of each rule.
    private func worst(_ split: Split, _ rule: TableRule) -> Double? {
        attacks.compactMap { accuracy(split, $0, rule) }.min()
    }

    var csv: String {
        var rows: [[String]] = []
        for split in Split.allCases {
            for attack in attacks {
                for rule in rules {
                    let outcomes = outcomes(split, attack, rule)
                    let accuracies = outcomes.map(\.accuracy)
                    guard let worst = accuracies.min() else { continue }
                    rows.append([
                        split.rawValue, attack, rule.name, "\(outcomes.count)",
                        Decimal.fixed(worst, places: 2),
                        Decimal.fixed(
                            accuracies.reduce(0, +) / Double(accuracies.count), places: 2),
                        Decimal.fixed(outcomes.map(\.backdoorSuccess).max() ?? 0, places: 2),
                    ])
                }
            }
        }
        return CSV.encode(
            header: [
                "split", "attack", "rule", "seeds", "accuracy_worst", "accuracy_mean",
                "backdoor_success_worst",
            ], rows: rows)
    }

    func markdown(setting: Setting) -> String {
        var text = "Test accuracy in per cent, the worst of \(seeds.count) seeds. "
        text += setting.description + ".\n"
        for split in Split.allCases {
            text += "\n**\(split.title)**\n\n"
            text += row(["attack"] + rules.map(\.name))
            text += row(["---"] + rules.map { _ in "---:" })
            for attack in attacks {
                text += row([attack] + rules.map { cell(accuracy(split, attack, $0)) })
            }
            text += row(["**worst**"] + rules.map { "**\(cell(worst(split, $0)))**" })
            guard attacks.contains("backdoor") else { continue }
            for attack in ["none", "backdoor"] where attacks.contains(attack) {
                text += row(
                    ["*trigger obeyed, \(attack)*"]
                        + rules.map { cell(backdoorSuccess(split, $0, attack: attack)) })
            }
        }
        return text
    }

    var heatMap: HeatMap {
        HeatMap(
            title: "Test accuracy (%) under attack, worst of \(seeds.count) seeds",
            rows: attacks, columns: rules.map(\.name),
            panels: Split.allCases.map { split in
                HeatMap.Panel(
                    title: split.title,
                    values: attacks.map { attack in rules.map { accuracy(split, attack, $0) } })
            }, range: 0...90)
    }

    private func cell(_ value: Double?) -> String {
        value.map { Decimal.fixed($0, places: 1) } ?? "–"
    }

    private func row(_ cells: [String]) -> String {
        "| " + cells.joined(separator: " | ") + " |\n"
    }
}
