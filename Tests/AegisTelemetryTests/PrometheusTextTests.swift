import AegisTelemetry
import Testing

@Suite("Prometheus text (exposition format 0.0.4)")
struct PrometheusTextTests {
    @Test("families with help, type, escaped labels and plain numbers")
    func golden() {
        var metrics = PrometheusText()
        metrics.add("a_height", .gauge, help: "One \\ two\nlines", 12)
        metrics.add("a_absent", .gauge, help: "Not there", nil)
        metrics.add(
            "a_refusals_total", .counter, help: "By peer",
            [
                .init(3, labels: ["peer": "say \"no\"\n", "kind": "x\\y"]),
                .init(0.5, labels: ["peer": "b"]), .init(.infinity), .init(.nan),
            ])
        #expect(
            metrics.text == #"""
                # HELP a_height One \\ two\nlines
                # TYPE a_height gauge
                a_height 12
                # HELP a_refusals_total By peer
                # TYPE a_refusals_total counter
                a_refusals_total{peer="say \"no\"\n",kind="x\\y"} 3
                a_refusals_total{peer="b"} 0.5
                a_refusals_total +Inf
                a_refusals_total NaN

                """#)
    }

    @Test("the process has some memory, some descriptors and has used some time")
    func process() throws {
        let figures = ProcessFigures.now
        #expect(figures.cpuSeconds > 0)
        #expect(try #require(figures.residentBytes) > 1_000_000)
        #expect(try #require(figures.openDescriptors) >= 3)
    }
}
