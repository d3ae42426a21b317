package import AegisCore

/// Asked of everybody at each start, before the first signature: what have you seen of me?
/// (PROTOCOL.md §2.11). Not signed: the session says who asks, and what the answer may prove is
/// signed by the asker itself.
package struct Hello: Hashable, Sendable {
    package let mesh: MeshID
    /// Fresh at each start, so that no old answer counts.
    package let nonce: UInt64
    /// The last decided height that the asker has.
    package let height: UInt64
    /// The last final height that it knows; 0: none.
    package let final: UInt64
    /// Of its last header: shows a fork where everybody rests. Zero: not said.
    package let tip: Digest

    package init(
        mesh: MeshID, nonce: UInt64, height: UInt64, final: UInt64 = 0, tip: Digest = .zero
    ) {
        self.mesh = mesh
        self.nonce = nonce
        self.height = height
        self.final = final
        self.tip = tip
    }

    package var encoded: [UInt8] {
        Assembly.hello.encode([
            (1, .bytes(mesh.bytes)), (2, .unsigned(nonce)), (3, .unsigned(height)),
            (4, .unsigned(final)), (5, .digest(tip)),
        ])
    }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        var fields = try Assembly.hello.fields(bytes)
        mesh = try fields.mesh(1)
        nonce = try fields.unsigned(2)
        height = try fields.unsigned(3, max: UInt64(Int64.max))
        switch fields.optional(4) {
        case nil: final = 0
        case .unsigned(let height) where height <= UInt64(Int64.max): final = height
        default: throw .outOfRange(field: 4)
        }
        switch fields.optional(5) {
        case nil: tip = .zero
        case .bytes(let bytes):
            guard let digest = Digest(bytes) else { throw .outOfRange(field: 5) }
            tip = digest
        default: throw .outOfRange(field: 5)
        }
        try fields.finish()
    }
}

package struct HelloReply: Hashable, Sendable {
    package let mesh: MeshID
    /// The asker's.
    package let nonce: UInt64
    /// The last decided height that the answering node has.
    package let height: UInt64
    /// The last vote or timeout of the asker that came here. Its own signature proves it, so that a
    /// liar can't silence anybody.
    package let lastSeen: SignedEnvelope?

    package init(mesh: MeshID, nonce: UInt64, height: UInt64, lastSeen: SignedEnvelope?) {
        self.mesh = mesh
        self.nonce = nonce
        self.height = height
        self.lastSeen = lastSeen
    }

    package var encoded: [UInt8] {
        Assembly.helloReply.encode([
            (1, .bytes(mesh.bytes)), (2, .unsigned(nonce)), (3, .unsigned(height)),
            (4, .envelopes(lastSeen.map { [$0] } ?? [])),
        ])
    }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        var fields = try Assembly.helloReply.fields(bytes)
        mesh = try fields.mesh(1)
        nonce = try fields.unsigned(2)
        height = try fields.unsigned(3, max: UInt64(Int64.max))
        lastSeen = try fields.envelopes(4, max: 1).first
        try fields.finish()
    }
}
