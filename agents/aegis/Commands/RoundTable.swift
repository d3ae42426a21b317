package import AegisAPI

/// The table of a run's rounds: at once for `show`, line by line for `watch`.
package enum RoundTable {
    private static let headings = [
        "ROUND", "COORDINATOR", "VIEW", "NODES", "SECONDS", "LOSS", "ACCURACY", "EPSILON",
    ]
    private static let widths = [5, 14, 4, 5, 8, 8, 8, 8]

    package static var heading: String { line(headings) }

    /// A line, and another one where the rule left anybody out.
    package static func row(_ round: RoundView) -> String {
        let dropped = round.aggregation?.dropped ?? []
        let names = dropped.prefix(2)
            .map { $0.count > 24 ? $0.prefix(23) + "…" : $0 }.joined(separator: ", ")
        let more = dropped.count > 2 ? " and \(dropped.count - 2) more" : ""
        return line(round) + (dropped.isEmpty ? "" : "       left out: \(names)\(more)\n")
    }

    private static func line(_ round: RoundView) -> String {
        line([
            "\(round.round)", round.coordinator, "\(round.view)",
            "\(round.participants.count)", Output.number(round.seconds, places: 2),
            Output.number(round.loss, places: 4), Output.percent(round.accuracy, places: 2),
            Output.number(round.epsilonMax, places: 3),
        ])
    }

    package static func text(_ rounds: [RoundView]) -> String {
        heading + rounds.map(row).joined() + quality(rounds.last)
    }

    /// What else was measured after the last round: of the federation, and where nodes have test
    /// records of their own, of each.
    package static func quality(_ round: RoundView?) -> String {
        guard let round, let all = round.quality else { return "" }
        let nodes = round.measures.compactMap { measure in
            measure.quality.map { (measure.name, $0) }
        }
        let differ = Set(nodes.map(\.1)).count > 1
        let isNumber = all.rmse != nil
        let columns = isNumber ? ["RMSE", "MAE", "R2"] : ["ACCURACY", "AUC", "F1", "CALIBRATION"]
        let rows = ([("all", all)] + (differ ? nodes : [])).map { name, quality in
            [name, "\(quality.records)", Output.number(quality.loss, places: 4)]
                + (isNumber
                    ? [quality.rmse, quality.mae, quality.r2].map { Output.number($0, places: 4) }
                    : [Output.percent(quality.accuracy, places: 2)]
                        + [quality.auc, quality.f1, quality.calibrationError].map {
                            Output.number($0, places: 4)
                        })
        }
        return "\nAfter round \(round.round), on the test records:\n"
            + Table(
                [.init("NODE"), .init("RECORDS", .right), .init("LOSS", .right)]
                    + columns.map { .init($0, .right) }, rows: rows
            ).text()
    }

    /// Columns of fixed width, so that a line can be written before the next is known.
    private static func line(_ cells: [String]) -> String {
        var parts: [String] = []
        for (index, cell) in cells.enumerated() {
            let width = widths[index]
            let shown = cell.count > width ? cell.prefix(width - 1) + "…" : cell
            let space = String(repeating: " ", count: width - shown.count)
            parts.append(index == 1 ? shown + space : space + shown)
        }
        return parts.joined(separator: "  ") + "\n"
    }
}
