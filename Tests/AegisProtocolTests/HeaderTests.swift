import AegisCore
import AegisProtocol
import Testing

@Suite("The header, byte by byte (PROTOCOL.md §2.4)")
struct HeaderTests {
    /// Encoded by a program that shares no code with ours.
    private static let golden =
        "b50119012c02010358200101010101010101010101010101010101010101010101010101"
        + "010101010101045820020202020202020202020202020202020202020202020202020202"
        + "020202020205582002020202020202020202020202020202020202020202020202020202"
        + "02020202065009090909090909090909090909090909070c085820030303030303030303"
        + "030303030303030303030303030303030303030303030309010a830002030b5820040404"
        + "04040404040404040404040404040404040404040404040404040404040c830001020d19"
        + "ee480e18fa0f6c7472696d6d65642d6d65616e1001115820050505050505050505050505"
        + "050505050505050505050505050505050505050512582006060606060606060606060606"
        + "06060606060606060606060606060606060606131b0000018bcfe5687b14582007070707"
        + "070707070707070707070707070707070707070707070707070707071580"

    private func digest(_ byte: UInt8) throws -> Digest {
        try #require(Digest(Array(repeating: byte, count: 32)))
    }

    @Test("a round's header has these bytes")
    func golden() throws {
        let bytes = try #require(Hexadecimal.decode(Self.golden))
        let header = try Header(decoding: bytes)
        #expect(header.height == 300)
        #expect(header.kind == .round)
        #expect(header.previous == (try digest(1)))
        #expect(header.roster == (try digest(2)))
        #expect(header.nextRoster == (try digest(2)))
        #expect(header.run == (try Stage.run(9)))
        #expect(header.round == 12)
        #expect(header.base == (try digest(3)))
        #expect(header.listView == 1)
        #expect(header.included == [0, 2, 3])
        #expect(header.includedDigest == (try digest(4)))
        #expect(header.listSenders == [0, 1, 2])
        #expect(header.cutOffMedianMilliseconds == 61_000)
        #expect(header.cutOffDeviationMilliseconds == 250)
        #expect(header.rule == "trimmed-mean")
        #expect(header.ruleVersion == 1)
        #expect(header.aggregate == (try digest(5)))
        #expect(header.model == (try digest(6)))
        #expect(header.committedTime == 1_700_000_000_123)
        #expect(header.body == (try digest(7)))
        #expect(header.encoded == bytes)
    }

    @Test("places out of order, and a field too many, are refused")
    func strict() throws {
        let bytes = try #require(Hexadecimal.decode(Self.golden))
        var header = try Header(decoding: bytes)
        header.included = [2, 0]
        #expect(throws: StatementError.outOfRange(field: 10)) {
            try Header(decoding: header.encoded)
        }
        #expect(throws: StatementError.self) { try Header(decoding: bytes + [0]) }
    }
}
