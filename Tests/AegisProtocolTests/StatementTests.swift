import AegisCore
import AegisProtocol
import AegisSimulation
import Testing

@Suite("Statements (PROTOCOL.md §2.4)")
struct StatementTests {
    private let cryptography = SymbolicCryptography()

    private func scope() throws -> StatementScope {
        StatementScope(
            mesh: try #require(MeshID(Array(repeating: 7, count: 16))),
            roster: cryptography.digest([1]), height: 300, view: 2)
    }

    /// Survives its encoding; with a field more, a byte less or one more it is refused.
    private func check<Payload: Equatable>(
        _ value: Payload, _ payload: [UInt8], _ decode: ([UInt8]) throws -> Payload
    ) throws {
        #expect(try decode(payload) == value)
        #expect(throws: StatementError.self) { try decode(Array(payload.dropLast())) }
        #expect(throws: StatementError.self) { try decode(payload + [0]) }
        guard case .map(let map) = try CBOR.decode(payload) else {
            Issue.record("no map")
            return
        }
        let more: [(Int64, CBOR)] = map.entries.map { ($0.key, $0.value) } + [(99, .null)]
        #expect(throws: StatementError.self) { try decode(CBOR.map(CBORMap(more)).encoded) }
        for entry in map.entries {
            let fewer = map.entries.filter { $0.key != entry.key }.map { ($0.key, $0.value) }
            #expect(throws: StatementError.self) { try decode(CBOR.map(CBORMap(fewer)).encoded) }
        }
    }

    @Test("votes and timeouts survive their encoding, and nothing else does")
    func votes() throws {
        let value = cryptography.digest([2])
        let vote1 = Vote1(scope: try scope(), value: value, proposal: cryptography.digest([3]))
        try check(vote1, vote1.payload, Vote1.init(payload:))
        let vote2 = Vote2(scope: try scope(), value: value)
        try check(vote2, vote2.payload, Vote2.init(payload:))
        for highest in [nil, Timeout.Certified(view: 2, value: value)] {
            let timeout = Timeout(scope: try scope(), highest: highest)
            try check(timeout, timeout.payload, Timeout.init(payload:))
        }
    }

    @Test("R10: a timeout that names a certificate above its view is no timeout")
    func highestAboveView() throws {
        let timeout = Timeout(
            scope: try scope(), highest: .init(view: 3, value: cryptography.digest([2])))
        #expect(throws: StatementError.outOfRange(field: 5)) {
            try Timeout(payload: timeout.payload)
        }
    }

    @Test("a HaveList is in the order of the roster, its commands sorted")
    func haveList() throws {
        let digests = [cryptography.digest([2]), cryptography.digest([3])].sorted()
        func list(_ indices: [Int], _ commands: [Digest]) throws -> HaveList {
            HaveList(
                scope: try scope(), sequence: 4,
                members: indices.map { .init(index: $0, update: digests[0]) }, isFinal: true,
                cutOffMilliseconds: 1_234, wallTime: 1_700_000_000_000, commands: commands)
        }
        let good = try list([0, 3], digests)
        try check(good, good.payload, HaveList.init(payload:))
        for bad in [try list([3, 0], []), try list([1, 1], []), try list([], digests.reversed())] {
            #expect(throws: StatementError.self) { try HaveList(payload: bad.payload) }
        }
    }

    @Test("an update above 4 MiB lists each MiB, and only then")
    func updates() throws {
        let digest = cryptography.digest([5])
        #expect(UpdateBlob(digest: digest, byteCount: 4 << 20) != nil)
        #expect(UpdateBlob(digest: digest, byteCount: (4 << 20) + 1) == nil)
        let chunks = Array(repeating: digest, count: 5)
        #expect(UpdateBlob(digest: digest, byteCount: 4 << 20, chunks: chunks) == nil)
        let blob = try #require(
            UpdateBlob(digest: digest, byteCount: (4 << 20) + 1, chunks: chunks))
        let run = try Stage.run()
        let statement = UpdateStatement(
            mesh: try scope().mesh, node: try Stage.node(1),
            specification: Stage.specification(run), round: 3, base: digest,
            draft: UpdateDraft(run: run, round: 3, base: digest, blob: blob, expiresAt: 17))
        try check(statement, statement.payload, UpdateStatement.init(payload:))
    }

    @Test("assemblies and journal records survive their encoding")
    func assemblies() throws {
        let node = try Stage.node(1)
        let vote = cryptography.sign(
            .vote1, from: node,
            payload: Vote1(scope: try scope(), value: .zero, proposal: .zero).payload)
        let certificate = VoteCertificate(votes: [vote])
        let election = TimeoutCertificate(timeouts: [vote], highest: certificate)
        let record = CommitRecord(header: [1], body: [2, 3], certificate: [vote])
        for statement: Statement in [
            .signed(vote), .voteCertificate(certificate), .timeoutCertificate(election),
            .commit(record), .finalCertificate(FinalCertificate(coSigns: [vote])),
            .fork(ForkProof(record, record)),
        ] {
            #expect(try Statement(decoding: statement.encoded) == statement)
            #expect(throws: StatementDecodingError.self) {
                try Statement(decoding: statement.encoded + [0])
            }
        }
        let run = try Stage.run()
        let slots: [SigningSlot] = [
            .update(run, round: 3), .abstention(run, round: 4),
            .haveList(height: 5, view: 6, sequence: 7), .proposal(height: 1, view: 0),
            .vote1(height: 1, view: 1), .vote2(height: 1, view: 2),
            .timeout(height: 1, view: 3), .coSign(height: 9),
        ]
        let records =
            slots.map { JournalRecord.signed($0, vote) } + [
                .proposal(vote), .update(vote), .voteCertificate(certificate),
                .timeoutCertificate(election), .fork(ForkProof(record, record)),
                .evidence(Evidence(vote, vote)),
            ]
        for record in records {
            #expect(try JournalRecord(decoding: record.encoded) == record)
        }
    }
}
