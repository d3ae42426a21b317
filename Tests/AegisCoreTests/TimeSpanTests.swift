import AegisCore
import Testing

@Suite("Times as people write them") struct TimeSpanTests {
    @Test(
        "lengths of time",
        arguments: [
            ("90s", 90), ("30m", 1_800), ("1h", 3_600), ("2d", 172_800), ("1", nil), ("h", nil),
            ("-1h", nil), ("0s", nil), ("9223372036854775807d", nil), ("", nil),
        ] as [(String, Int?)])
    func seconds(text: String, seconds: Int?) {
        #expect(TimeSpan.seconds(text) == seconds)
    }
}
