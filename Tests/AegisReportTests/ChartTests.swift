import AegisReport
import FoundationEssentials
import Testing

@Suite("Charts and tables") struct ChartTests {
    private func golden(_ name: String) throws -> String {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        let data = try Data(contentsOf: folder.appending(path: "Golden/" + name))
        return String(decoding: data, as: UTF8.self)
    }

    private static let accuracies = [61.2, 68.9, 72.4, 74.1, 75.8, 76.9, 77.3, 78.2, 78.4, 79.1]

    static let chart = LineChart(
        title: "demo: test accuracy after each round", xLabel: "round", yLabel: "accuracy (%)",
        series: [
            .init(
                name: "mesh",
                points: accuracies.enumerated().map { .init(x: Double($0 + 1), y: $1) })
        ])

    static let twoLines = LineChart(
        title: "mesh & <one> node", xLabel: "round", yLabel: "loss (nats)",
        series: [
            .init(name: "mesh", points: [.init(x: 1, y: 0.91), .init(x: 2, y: 0.5)]),
            .init(name: "one \"node\"", points: [.init(x: 1, y: 1.2), .init(x: 2, y: 1.1)]),
        ])

    @Test("a chart is the same bytes as ever")
    func chart() throws {
        #expect(Self.chart.svg == (try golden("accuracy.svg")))
        #expect(Self.twoLines.svg == (try golden("two-lines.svg")))
    }

    @Test("no points, one point and points that are no numbers still make a chart")
    func degenerate() {
        for points: [LineChart.Point] in [
            [], [.init(x: 1, y: 0)], [.init(x: 1, y: .nan), .init(x: .infinity, y: 2)],
        ] {
            let svg = LineChart(
                title: "t", xLabel: "x", yLabel: "y", series: [.init(name: "s", points: points)]
            ).svg
            #expect(svg.hasPrefix("<svg "))
            #expect(svg.hasSuffix("</svg>\n"))
            #expect(!svg.contains("nan") && !svg.contains("inf\""))
        }
    }

    @Test("a field with commas, quotes or line ends is quoted")
    func csv() {
        let text = CSV.encode(
            header: ["a", "b"], rows: [["1,5", "x"], ["say \"hi\"", "p\r\nq"]])
        #expect(text == "a,b\n\"1,5\",x\n\"say \"\"hi\"\"\",\"p\r\nq\"\n")
    }

    @Test(
        "numbers have the digits that were asked for",
        arguments: [
            (0.5, 2, "0.50"), (-0.005, 2, "-0.01"), (2.675, 1, "2.7"), (12, 0, "12"),
            (-0.0001, 2, "0.00"), (0.05, 3, "0.050"), (1e300, 2, "1e+300"),
        ])
    func fixed(value: Double, places: Int, text: String) {
        #expect(Decimal.fixed(value, places: places) == text)
    }

    @Test("shortest drops the zeros at the end")
    func shortest() {
        #expect(Decimal.shortest(0.5, placesMax: 3) == "0.5")
        #expect(Decimal.shortest(10, placesMax: 2) == "10")
        #expect(Decimal.shortest(-0.001, placesMax: 2) == "0")
    }
}
