package import AegisCore

/// A node says that it gives no update to a round (its policy or its privacy budget forbids it, or
/// training failed), so that nobody waits for it. Advisory: it changes no count and no value.
/// Signed in the domain `consent`.
package struct AbstentionStatement: Hashable, Sendable {
    package let mesh: MeshID
    package let run: RunID
    package let round: Int
    package let node: NodeID
    /// For people.
    package let reason: String

    package init(mesh: MeshID, run: RunID, round: Int, node: NodeID, reason: String) {
        self.mesh = mesh
        self.run = run
        self.round = round
        self.node = node
        self.reason = reason
    }

    package var payload: [UInt8] {
        CBOR.fields([
            1: .bytes(mesh.bytes), 2: .bytes(run.bytes), 3: .integer(Int64(round)),
            4: .node(node), 5: .text(reason),
        ]).encoded
    }

    package init(payload: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: payload)
        mesh = try fields.mesh(1)
        run = try fields.run(2)
        round = try fields.count(3, in: 1...Limits.roundsMax)
        node = try fields.node(4)
        reason = try fields.text(5, max: ProtocolLimits.reasonBytesMax)
        try fields.finish()
    }
}
