package import AegisCore

/// What the mesh is asked to decide, by its admin or, of itself, by a node. Nothing happens until a
/// quorum has committed it.
package struct Command: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        case start(RunSpecification)
        case stop(RunID, reason: String)
        /// The mesh's signatures on how long the admin's audit log is, and what its last record is.
        case witness(AuditHead)
        case membership(MembershipChange)
    }

    package let mesh: MeshID
    /// Grows with each command of this admin; orders them and makes each unique. 0 for what a node
    /// asks for itself: that can't be repeated anyway.
    package let sequence: UInt64
    /// Milliseconds since 1970; judged against committed time, not local clocks.
    package let expiresAt: UInt64
    package let action: Action

    package init(mesh: MeshID, sequence: UInt64, expiresAt: UInt64, action: Action) {
        self.mesh = mesh
        self.sequence = sequence
        self.expiresAt = expiresAt
        self.action = action
    }

    package var payload: [UInt8] {
        let action: CBOR =
            switch self.action {
            case .start(let specification): .fields([1: specification.cbor])
            case .stop(let run, let reason): .fields([2: .bytes(run.bytes), 3: .text(reason)])
            case .witness(let head): .fields([16: head.cbor])
            case .membership(let change): .fields([4: change.cbor])
            }
        return CBOR.fields([
            1: .bytes(mesh.bytes), 2: .unsigned(sequence), 3: .unsigned(expiresAt), 4: action,
        ]).encoded
    }

    package init(payload: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: payload)
        mesh = try fields.mesh(1)
        sequence = try fields.unsigned(2)
        expiresAt = try fields.unsigned(3)
        var action = try CBORFields(try fields.value(4))
        if let specification = action.optional(1) {
            self.action = .start(try RunSpecification(specification))
        } else if let head = action.optional(16) {
            self.action = .witness(try AuditHead(head))
        } else if let change = action.optional(4) {
            self.action = .membership(try MembershipChange(change))
        } else {
            guard let run = RunID(try action.bytes(2)) else { throw .outOfRange(field: 2) }
            self.action = .stop(run, reason: try action.text(3, max: 256))
        }
        try action.finish()
        try fields.finish()
        guard (sequence == 0) == !isOfTheAdmin else { throw .outOfRange(field: 2) }
    }

    /// Who must have signed it.
    package var author: MembershipChange.Author {
        switch action {
        case .start, .stop, .witness: .admin
        case .membership(let change): change.author
        }
    }

    var isOfTheAdmin: Bool { author == .admin }

    /// A node's request to join, as a command: its authority is the token's.
    init(_ request: JoinRequest, token: NodeID) {
        mesh = request.mesh
        sequence = 0
        expiresAt = .max
        action = .membership(.join(request, token: token))
    }
}
