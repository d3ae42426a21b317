package import AegisCore

/// What a node releases in a round: names the blob with its update and what was done to the data.
/// Bound to mesh, run, round, node and base model, but not to a height or a view, so an election or
/// a configuration in between forces nobody to train again (PROTOCOL.md §2.2, §5). One for each
/// (run, round, node): a second one is a fault.
package struct UpdateStatement: Hashable, Sendable {
    package let mesh: MeshID
    package let run: RunID
    /// From 1.
    package let round: Int
    package let node: NodeID
    /// Of the model the update was trained from.
    package let base: Digest
    package let blob: UpdateBlob
    /// Public, at most the run's cap, and only the weighted rules use it: never a count of private
    /// records.
    package let weight: UInt64
    /// What was trained with, as the run's specification declares it; zeros where it declares no
    /// privacy.
    package let clipNormMillionths: UInt64
    package let noiseMultiplierMillionths: UInt64
    package let samplingRateMillionths: UInt64
    package let steps: UInt64
    /// The entry of the node's privacy ledger that paid for it.
    package let ledgerPosition: UInt64
    /// Milliseconds since 1970, UTC: not to be used in a value committed later.
    package let expiresAt: UInt64

    package init(
        mesh: MeshID, node: NodeID, specification: RunSpecification, round: Int, base: Digest,
        draft: UpdateDraft
    ) {
        self.mesh = mesh
        self.run = specification.run
        self.round = round
        self.node = node
        self.base = base
        self.blob = draft.blob
        self.weight = draft.weight
        self.ledgerPosition = draft.ledgerPosition
        self.expiresAt = draft.expiresAt
        let privacy = specification.privacy
        clipNormMillionths = UInt64(privacy?.clipNormMillionths ?? 0)
        noiseMultiplierMillionths = UInt64(privacy?.noiseMultiplierMillionths ?? 0)
        samplingRateMillionths = UInt64(privacy?.samplingRateMillionths ?? 0)
        steps = UInt64(specification.training.localSteps)
    }

    package var payload: [UInt8] {
        CBOR.fields([
            1: .bytes(mesh.bytes), 2: .bytes(run.bytes), 3: .integer(Int64(round)),
            4: .node(node), 5: .digest(base), 6: .digest(blob.digest),
            7: .unsigned(blob.byteCount), 8: .array(blob.chunks.map { .digest($0) }),
            9: .unsigned(weight), 10: .unsigned(clipNormMillionths),
            11: .unsigned(noiseMultiplierMillionths), 12: .unsigned(samplingRateMillionths),
            13: .unsigned(steps), 14: .unsigned(ledgerPosition), 15: .unsigned(expiresAt),
        ]).encoded
    }

    package init(payload: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: payload)
        mesh = try fields.mesh(1)
        run = try fields.run(2)
        round = try fields.count(3, in: 1...Limits.roundsMax)
        node = try fields.node(4)
        base = try fields.digest(5)
        let digest = try fields.digest(6)
        let byteCount = try fields.unsigned(7, max: Limits.blobBytesMax)
        let chunks = try fields.digests(8, max: ProtocolLimits.chunksMax)
        guard let blob = UpdateBlob(digest: digest, byteCount: byteCount, chunks: chunks) else {
            throw .outOfRange(field: 8)
        }
        self.blob = blob
        weight = try fields.unsigned(9)
        clipNormMillionths = try fields.unsigned(10)
        noiseMultiplierMillionths = try fields.unsigned(11)
        samplingRateMillionths = try fields.unsigned(12)
        steps = try fields.unsigned(13)
        ledgerPosition = try fields.unsigned(14)
        expiresAt = try fields.unsigned(15)
        try fields.finish()
    }

    /// Whether it was trained as the run declares, and claims no more weight than a node may have.
    package func follows(_ specification: RunSpecification) -> Bool {
        let privacy = specification.privacy
        return (1...specification.aggregation.weightMax).contains(weight)
            && steps == UInt64(specification.training.localSteps)
            && clipNormMillionths == UInt64(privacy?.clipNormMillionths ?? 0)
            && noiseMultiplierMillionths == UInt64(privacy?.noiseMultiplierMillionths ?? 0)
            && samplingRateMillionths == UInt64(privacy?.samplingRateMillionths ?? 0)
    }
}

/// The safetensors file with an update. Above 4 MiB the digest of each MiB is listed, so that a
/// transfer is verified while it streams and its parts come from any holder.
package struct UpdateBlob: Hashable, Sendable {
    package let digest: Digest
    package let byteCount: UInt64
    package let chunks: [Digest]

    /// Nil where the list of chunks doesn't fit the size: one for each MiB above 4 MiB, none below.
    package init?(digest: Digest, byteCount: UInt64, chunks: [Digest] = []) {
        let expected =
            byteCount > ProtocolLimits.chunkListFrom
            ? (byteCount - 1) / ProtocolLimits.chunkBytes + 1 : 0
        guard UInt64(chunks.count) == expected else { return nil }
        self.digest = digest
        self.byteCount = byteCount
        self.chunks = chunks
    }
}

/// What the shell knows of an update that it has just trained and stored durably. The core adds
/// what it was asked to train.
package struct UpdateDraft: Hashable, Sendable {
    package let run: RunID
    package let round: Int
    package let base: Digest
    package let blob: UpdateBlob
    package let weight: UInt64
    package let ledgerPosition: UInt64
    package let expiresAt: UInt64

    package init(
        run: RunID, round: Int, base: Digest, blob: UpdateBlob, weight: UInt64 = 1,
        ledgerPosition: UInt64 = 0, expiresAt: UInt64
    ) {
        self.run = run
        self.round = round
        self.base = base
        self.blob = blob
        self.weight = weight
        self.ledgerPosition = ledgerPosition
        self.expiresAt = expiresAt
    }
}
