import AegisAPI
import Testing

@Suite("Whom a rule left out") struct ExplanationTests {
    private func explanation(_ kept: [String], dropped: [String]) -> RoundExplanation {
        RoundExplanation(
            rule: "krum", scoreMeaning: "neighbour distance",
            verdicts: kept.map { .init(node: $0, isKept: true, share: 0.5, score: 1) }
                + dropped.map { .init(node: $0, isKept: false, share: 0, score: 9) })
    }

    @Test("a participant that is left out in most of three rounds becomes suspicious, once")
    func suspicion() {
        var tally = DropTally()
        #expect(tally.add(explanation(["a", "b"], dropped: ["c"]), run: "r").isEmpty)
        #expect(tally.add(explanation(["a", "b"], dropped: ["c"]), run: "r").isEmpty)
        // Krum's kind of round: it says nothing.
        #expect(tally.add(explanation(["c"], dropped: ["a", "b"]), run: "r").isEmpty)
        let suspicious = tally.add(explanation(["a", "d"], dropped: ["b", "c"]), run: "r")
        #expect(suspicious == [DropCount(peer: "c", dropped: 3, judged: 3)])
        #expect(tally.add(explanation(["a", "b"], dropped: ["c"]), run: "r").isEmpty)
        #expect(
            tally.counts == [
                DropCount(peer: "c", dropped: 4, judged: 4),
                DropCount(peer: "b", dropped: 1, judged: 4),
            ])
        #expect(tally.counts.map(\.isSuspicious) == [true, false])
    }

    @Test("another run begins at zero")
    func runs() {
        var tally = DropTally()
        for _ in 0..<5 { tally.add(explanation(["a"], dropped: ["c"]), run: "r") }
        tally.add(explanation(["c"], dropped: []), run: "s")
        #expect(tally.counts.isEmpty)
    }

    @Test("an explanation is the same after the wire")
    func wire() throws {
        let sent = explanation(["a"], dropped: ["b"])
        let text = String(decoding: try AegisAPI.encode(sent), as: UTF8.self)
        #expect(text.contains(#""is_kept":false"#) && text.contains(#""score_meaning""#))
        #expect(try AegisAPI.decode(RoundExplanation.self, from: Array(text.utf8)) == sent)
        #expect(sent.dropped == ["b"])
    }
}
