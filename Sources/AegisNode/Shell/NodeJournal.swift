package import AegisCore
package import AegisCrypto
package import AegisProtocol
package import AegisStore

/// The node's signing hand: nothing is signed but through a slot of the safety journal, which is
/// on the disk before the envelope leaves (R12).
package struct NodeJournal: Sendable {
    private let journal: SafetyJournal
    private let signer: EnvelopeSigner

    /// Records of the protocol core that are no slots.
    private static let protocolRecordType: UInt8 = 1
    /// Past this size the records of decided heights are dropped at the next commit.
    private static let compactionBytes = 4 << 20

    package init(journal: SafetyJournal, signer: EnvelopeSigner) {
        self.journal = journal
        self.signer = signer
    }

    /// What the core asked to be made durable, in its order, with one flush.
    package struct Batch {
        fileprivate var records: [AegisStore.JournalRecord] = []
        fileprivate var slots: [JournalSlot] = []
        fileprivate var signings: [(slot: SigningSlot, to: [NodeID])] = []
        private(set) var persisted: [AegisProtocol.JournalRecord] = []

        package init() {}

        package var isEmpty: Bool { records.isEmpty && slots.isEmpty }

        package mutating func add(_ record: AegisProtocol.JournalRecord) {
            records.append(.init(type: protocolRecordType, payload: record.encoded))
            persisted.append(record)
        }
    }

    /// Signs into the batch; a slot that was used before gives its recorded envelope when the
    /// batch is committed.
    package func sign(
        _ slot: SigningSlot, payload: [UInt8], to recipients: [NodeID], in batch: inout Batch
    ) throws(JournalError) {
        let key = slot.cbor.encoded
        let content = SHA256.digest(of: payload)
        let envelope: [UInt8]
        if let recorded = try journal.recorded(slot: key, content: content) {
            envelope = recorded
        } else {
            envelope = signer.sign(slot.type, payload).bytes
        }
        batch.slots.append(JournalSlot(key: key, content: content, envelope: envelope))
        batch.signings.append((slot, recipients))
    }

    /// Makes the batch durable; the envelopes that may now be sent.
    package func commit(
        _ batch: Batch
    ) throws -> [(slot: SigningSlot, envelope: SignedEnvelope, to: [NodeID])] {
        let recorded = try journal.commit(slots: batch.slots, records: batch.records)
        var signed: [(SigningSlot, SignedEnvelope, [NodeID])] = []
        for (signing, bytes) in zip(batch.signings, recorded) {
            signed.append((signing.slot, try SignedEnvelope(parsing: bytes), signing.to))
        }
        return signed
    }

    /// Everything recorded, oldest first, as the core wrote it.
    package func restore() throws -> [AegisProtocol.JournalRecord] {
        var records: [AegisProtocol.JournalRecord] = []
        for record in try journal.load() {
            if let slot = JournalSlot(record) {
                let signingSlot = try SigningSlot(CBOR.decode(slot.key))
                records.append(.signed(signingSlot, try SignedEnvelope(parsing: slot.envelope)))
            } else {
                records.append(try .init(decoding: record.payload))
            }
        }
        return records
    }

    /// Whether the record still keeps this node from signing, or proves what isn't decided yet.
    private static func isNeeded(
        _ record: AegisStore.JournalRecord, beyond height: UInt64, convicted: [NodeID]
    ) -> Bool {
        switch try? AegisProtocol.JournalRecord(decoding: record.payload) {
        case .silence(let through): through > height
        case .fork: true
        case .evidence(let evidence): !convicted.contains(evidence.first.sender)
        default: false
        }
    }

    /// Drops what the commit of `height` has closed for good: statements of agreements up to it,
    /// and updates of runs that are over.
    package func compact(
        upTo height: UInt64, active run: RunID?, convicted: [NodeID] = []
    ) throws {
        guard journal.byteCount > Self.compactionBytes else { return }
        try journal.compact { record in
            guard let slot = JournalSlot(record) else {
                return Self.isNeeded(record, beyond: height, convicted: convicted)
            }
            guard let value = try? CBOR.decode(slot.key),
                let signingSlot = try? SigningSlot(value)
            else { return true }
            switch signingSlot {
            case .update(let slotRun, _), .abstention(let slotRun, _): return slotRun == run
            default: return signingSlot.outlives(height)
            }
        }
    }
}
