import AegisCore
import AegisProtocol
import Testing

@Suite("Quorums (PROTOCOL.md §2.1)")
struct QuorumTests {
    private func roster(_ count: Int, strictThree: Bool = false) throws -> Roster {
        try Roster(
            epoch: 1,
            entries: try (0..<count).map {
                RosterEntry(
                    node: try Stage.node(UInt8($0 + 1)), name: "node-\($0)", address: "-")
            },
            strictThree: strictThree)
    }

    @Test(
        "the table: n, f, q",
        arguments: [
            (1, 0, 1), (2, 0, 2), (3, 0, 2), (4, 1, 3), (5, 1, 4), (7, 2, 5), (10, 3, 7),
            (13, 4, 9), (20, 6, 14),
        ])
    func table(count: Int, faulty: Int, quorum: Int) throws {
        let roster = try roster(count)
        #expect(roster.faultTolerance == faulty)
        #expect(roster.quorum == quorum)
        #expect(roster.inclusionThreshold == faulty + 1)
    }

    @Test("two quorums share an honest node, and the honest ones are a quorum", arguments: 1...32)
    func intersection(count: Int) throws {
        let roster = try roster(count)
        #expect(2 * roster.quorum - count > roster.faultTolerance)
        #expect(roster.quorum <= count - roster.faultTolerance)
    }

    @Test("strict three needs all three")
    func strict() throws {
        #expect(try roster(3, strictThree: true).quorum == 3)
    }
}
