package import AegisAPI
package import AegisReport

/// A run's rounds as a table and as a chart.
package enum RunResults {
    /// One line a round; of the federation, then of each node its accuracy and its ε.
    package static func csv(_ rounds: [RoundView]) -> String {
        let nodes = Set(rounds.flatMap { $0.measures.map(\.name) }).sorted()
        let header =
            [
                "round", "height", "view", "coordinator", "participants", "seconds", "loss",
                "accuracy",
            ] + nodes.map { "epsilon_" + $0 } + nodes.map { "accuracy_" + $0 }
            + ["auc", "f1", "calibration_error", "rmse", "mae", "r2"]
        let rows = rounds.map { round in
            let fixed = [
                "\(round.round)", "\(round.height)", "\(round.view)", round.coordinator,
                round.participants.joined(separator: " "), number(round.seconds, 3),
                number(round.loss, 6), number(round.accuracy, 6),
            ]
            func column(_ value: (RoundView.Measure) -> Double?) -> [String] {
                nodes.map { name in
                    number(round.measures.first { $0.name == name }.flatMap(value), 6)
                }
            }
            let all = round.quality
            return fixed + column(\.epsilon) + column(\.accuracy)
                + [all?.auc, all?.f1, all?.calibrationError, all?.rmse, all?.mae, all?.r2]
                .map { number($0, 6) }
        }
        return CSV.encode(header: header, rows: rows)
    }

    package static func accuracyChart(_ run: RunView, _ rounds: [RoundView]) -> LineChart {
        let points = rounds.compactMap { round in
            round.accuracy.map { LineChart.Point(x: Double(round.round), y: $0 * 100) }
        }
        return LineChart(
            title: "\(run.name): test accuracy after each round", xLabel: "round",
            yLabel: "accuracy (%)", series: [.init(name: "mesh", points: points)])
    }

    /// Empty where nothing was measured.
    private static func number(_ value: Double?, _ places: Int) -> String {
        value.map { Decimal.fixed($0, places: places) } ?? ""
    }
}
