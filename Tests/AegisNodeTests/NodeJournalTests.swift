import AegisCore
import AegisCrypto
import AegisIdentity
import AegisNode
import AegisProtocol
import AegisStore
import TestFolders
import Testing

@Suite("The node's signing hand")
struct NodeJournalTests {
    private let directory: TemporaryDirectory
    private let key = IdentityKey.generate()
    private let peer = IdentityKey.generate().publicKey

    init() throws { directory = try TemporaryDirectory() }

    private var path: String { directory.file("journal") }

    private func opened(signer: IdentityKey? = nil) throws -> NodeJournal {
        let isThere = try Files.names(in: directory.path).contains("journal")
        let journal =
            isThere
            ? try SafetyJournal(opening: path, node: key.publicKey)
            : try SafetyJournal.create(at: path, node: key.publicKey)
        return NodeJournal(journal: journal, signer: EnvelopeSigner(signer ?? key))
    }

    private func sign(
        _ slot: SigningSlot, _ payload: [UInt8], in journal: NodeJournal
    ) throws -> SignedEnvelope {
        var batch = NodeJournal.Batch()
        try journal.sign(slot, payload: payload, to: [peer], in: &batch)
        return try #require(try journal.commit(batch).first).envelope
    }

    @Test("what is signed is verified by others and found again")
    func signsAndRestores() throws {
        let slot = SigningSlot.vote1(height: 3, view: 1)
        let envelope = try sign(slot, [1, 2, 3], in: opened())
        #expect(envelope.sender == key.publicKey)
        #expect(Libsodium().verify(envelope)?.payload == [1, 2, 3])
        #expect(try opened().restore() == [.signed(slot, envelope)])
    }

    @Test("a second content for a slot is refused, before and after a restart")
    func secondContent() throws {
        let slot = SigningSlot.vote2(height: 3, view: 0)
        let journal = try opened()
        _ = try sign(slot, [1], in: journal)
        for journal in [journal, try opened()] {
            let refusal = failure(JournalError.self) { _ = try sign(slot, [2], in: journal) }
            guard case .slotTaken = refusal else {
                Issue.record("\(String(describing: refusal))")
                continue
            }
        }
        #expect(try opened().restore().count == 1)
    }

    @Test("two contents for a slot in one batch are refused whole")
    func secondInBatch() throws {
        let slot = SigningSlot.proposal(height: 3, view: 0)
        let journal = try opened()
        var batch = NodeJournal.Batch()
        try journal.sign(slot, payload: [1], to: [], in: &batch)
        try journal.sign(slot, payload: [2], to: [], in: &batch)
        #expect(throws: JournalError.self) { _ = try journal.commit(batch) }
        #expect(try journal.restore().isEmpty)
    }

    @Test("the same content gives the recorded envelope")
    func sameContent() throws {
        let slot = SigningSlot.timeout(height: 3, view: 0)
        let first = try sign(slot, [1], in: opened())
        // Another hand would sign otherwise: what comes back was not signed anew.
        let again = try sign(slot, [1], in: opened(signer: .generate()))
        #expect(again == first)
    }

    @Test("a vote and what it relies on come back in their order")
    func batchOrder() throws {
        let journal = try opened()
        let relied = EnvelopeSigner(.generate()).sign(.proposal, [9])
        var batch = NodeJournal.Batch()
        #expect(batch.isEmpty)
        batch.add(.proposal(relied))
        let slot = SigningSlot.vote1(height: 1, view: 0)
        try journal.sign(slot, payload: [1], to: [peer], in: &batch)
        #expect(!batch.isEmpty)
        let signed = try journal.commit(batch)
        #expect(signed.map(\.slot) == [slot])
        #expect(signed.first?.to == [peer])
        #expect(
            try opened().restore() == [.proposal(relied), .signed(slot, signed[0].envelope)])
    }

    @Test("compaction keeps what a height or a run still needs")
    func compaction() throws {
        let journal = try opened()
        let filler = [UInt8](repeating: 0, count: 600 << 10)
        let (active, over) = (Sample.run(1), Sample.run(2))
        _ = try sign(.update(active, round: 2), [1], in: journal)
        _ = try sign(.update(over, round: 9), [2], in: journal)
        for height in 1...8 as ClosedRange<UInt64> {
            _ = try sign(
                .haveList(height: height, view: 0, sequence: 0), filler + [UInt8(height)],
                in: journal)
        }
        _ = try sign(.vote1(height: 6, view: 2), [3], in: journal)
        try journal.compact(upTo: 5, active: active)
        let slots = try opened().restore().map { record -> SigningSlot? in
            if case .signed(let slot, _) = record { slot } else { nil }
        }
        #expect(
            slots == [
                .update(active, round: 2), .haveList(height: 6, view: 0, sequence: 0),
                .haveList(height: 7, view: 0, sequence: 0),
                .haveList(height: 8, view: 0, sequence: 0), .vote1(height: 6, view: 2),
            ])
        #expect(throws: JournalError.self) {
            _ = try sign(.vote1(height: 6, view: 2), [4], in: journal)
        }
        #expect(throws: JournalError.self) {
            _ = try sign(.update(active, round: 2), [4], in: opened())
        }
    }

    @Test("a small journal is left as it is")
    func smallIsKept() throws {
        let journal = try opened()
        _ = try sign(.vote1(height: 1, view: 0), [1], in: journal)
        try journal.compact(upTo: 5, active: nil)
        #expect(try journal.restore().count == 1)
    }
}
