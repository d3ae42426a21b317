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
        heading + rounds.map(row).joined()
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
