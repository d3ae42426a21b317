import AegisReport
import Testing

@Suite("Heat maps") struct HeatMapTests {
    private func map(_ values: [[Double?]]) -> String {
        HeatMap(
            title: "a < b", rows: ["one", "two"], columns: ["x", "y"],
            panels: [.init(title: "IID", values: values), .init(title: "skew", values: values)],
            range: 0...100
        ).svg
    }

    @Test("a cell shows its value, the larger the darker, and the same bytes each time")
    func cells() {
        let svg = map([[0, 100], [50, 99.95]])
        #expect(svg == map([[0, 100], [50, 99.95]]))
        #expect(svg.contains(">0.0</text>") && svg.contains(">100.0</text>"))
        // Both ends of the scale, once in each of the two panels.
        #expect(svg.split(separator: "fill=\"#fef0be\"").count == 3)
        #expect(svg.split(separator: "fill=\"#14376e\"").count >= 3)
        #expect(svg.contains("a &lt; b"))
        #expect(svg.hasPrefix("<svg ") && svg.hasSuffix("</svg>\n"))
    }

    @Test("a cell without a number is left blank, and values beyond the range stay in it")
    func gaps() {
        let svg = map([[nil, .nan], [-50, 1_000]])
        #expect(svg.split(separator: "class=\"gap\"").count == 5)
        #expect(!svg.contains("nan"))
        #expect(svg.contains(">-50.0</text>") && svg.contains(">1000.0</text>"))
        #expect(map([[1]]).split(separator: "class=\"gap\"").count == 7)
    }
}
