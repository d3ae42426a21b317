package import AegisCore

/// One record of the safety journal. The shell appends `signed` when it performs `Effect.sign`, and
/// whatever `Effect.persist` carries; both before anything later in the same list of effects is
/// performed. Handed back in the order of writing when the node starts again (§2.11).
package enum JournalRecord: Hashable, Sendable {
    /// What this node signed.
    case signed(SigningSlot, SignedEnvelope)
    /// The proposal whose value is about to get this node's first vote.
    case proposal(SignedEnvelope)
    /// An update that this value includes: the vote promises to have it.
    case update(SignedEnvelope)
    /// The highest certified value.
    case voteCertificate(VoteCertificate)
    /// The election that admitted this node to its view.
    case timeoutCertificate(TimeoutCertificate)
    /// This node signs nothing up to this height: its disk has forgotten what it signed (§2.11).
    case silence(through: UInt64)
    /// The chain has forked: this node signs nothing any more.
    case fork(ForkProof)
    /// A proof that is not decided yet.
    case evidence(Evidence)

    package var encoded: [UInt8] {
        switch self {
        case .signed(let slot, let envelope):
            CBOR.array([1, slot.cbor, .bytes(envelope.bytes)]).encoded
        case .proposal(let envelope): CBOR.array([2, .bytes(envelope.bytes)]).encoded
        case .update(let envelope): CBOR.array([3, .bytes(envelope.bytes)]).encoded
        case .voteCertificate(let certificate):
            CBOR.array([4, .bytes(certificate.encoded)]).encoded
        case .timeoutCertificate(let certificate):
            CBOR.array([5, .bytes(certificate.encoded)]).encoded
        case .silence(let height):
            CBOR.array([6, .bytes(CBOR.unsigned(height).encoded)]).encoded
        case .fork(let proof): CBOR.array([7, .bytes(proof.encoded)]).encoded
        case .evidence(let evidence): CBOR.array([8, .bytes(evidence.encoded)]).encoded
        }
    }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        let value: CBOR
        do { value = try CBOR.decode(bytes, bytesMax: 2 * Limits.statementBytesMax) } catch {
            throw .malformed(error)
        }
        guard case .array(let parts) = value, case .unsigned(let kind)? = parts.first,
            parts.count == (kind == 1 ? 3 : 2), case .bytes(let content)? = parts.last
        else { throw .notAMap }
        switch kind {
        case 1: self = .signed(try SigningSlot(parts[1]), try Self.envelope(content))
        case 2: self = .proposal(try Self.envelope(content))
        case 3: self = .update(try Self.envelope(content))
        case 4: self = .voteCertificate(try VoteCertificate(decoding: content))
        case 5: self = .timeoutCertificate(try TimeoutCertificate(decoding: content))
        case 6:
            guard case .unsigned(let height)? = try? CBOR.decode(content) else {
                throw .wrongType(field: 1)
            }
            self = .silence(through: height)
        case 7: self = .fork(try ForkProof(decoding: content))
        case 8: self = .evidence(try Evidence(decoding: content))
        default: throw .outOfRange(field: 0)
        }
    }

    private static func envelope(_ bytes: [UInt8]) throws(StatementError) -> SignedEnvelope {
        do { return try SignedEnvelope(parsing: bytes) } catch {
            throw .outOfRange(field: 1)
        }
    }
}

/// What a node finds on its disk when it starts.
package struct DurableState: Sendable {
    /// Replayed from the stored commits (`MeshRules.replay`).
    package var chain: ChainState
    /// The last commit: answers stragglers. Nil at height 0.
    package var tip: CommitRecord?
    /// The state before the tip: under whose roster it was decided.
    package var beforeTip: ChainState?
    /// The last final height that was stored, and what proves it.
    package var final: (finality: Finality, certificate: FinalCertificate)?
    /// The journal, oldest first. Records of decided heights may still be there; they are ignored.
    package var records: [JournalRecord]
    /// Whether there was a journal and it is gone: what this node signed is unknown.
    package var isJournalLost: Bool

    package init(
        chain: ChainState, tip: CommitRecord? = nil, beforeTip: ChainState? = nil,
        final: (finality: Finality, certificate: FinalCertificate)? = nil,
        records: [JournalRecord] = [], isJournalLost: Bool = false
    ) {
        self.chain = chain
        self.tip = tip
        self.beforeTip = beforeTip
        self.final = final
        self.records = records
        self.isJournalLost = isJournalLost
    }
}
