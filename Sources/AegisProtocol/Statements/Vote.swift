package import AegisCore

/// The first vote: "I hold all of this value and my own computation agrees with it". Names the
/// proposal too, so that a vote against its justification is provable (PROTOCOL.md §2.4, E6).
package struct Vote1: Hashable, Sendable {
    package let scope: StatementScope
    package let value: Digest
    /// Of the coordinator's signed proposal.
    package let proposal: Digest

    package init(scope: StatementScope, value: Digest, proposal: Digest) {
        self.scope = scope
        self.value = value
        self.proposal = proposal
    }

    package var payload: [UInt8] {
        scope.fields(and: [(5, .digest(value)), (6, .digest(proposal))])
    }

    package init(payload: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: payload)
        scope = try StatementScope(reading: &fields)
        value = try fields.digest(5)
        proposal = try fields.digest(6)
        try fields.finish()
    }
}

/// The second vote: "I have seen a quorum of first votes for this value and keep them". A quorum of
/// these is the certificate of commit.
package struct Vote2: Hashable, Sendable {
    package let scope: StatementScope
    package let value: Digest

    package init(scope: StatementScope, value: Digest) {
        self.scope = scope
        self.value = value
    }

    package var payload: [UInt8] { scope.fields(and: [(5, .digest(value))]) }

    package init(payload: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: payload)
        scope = try StatementScope(reading: &fields)
        value = try fields.digest(5)
        try fields.finish()
    }
}

/// "I gave up on this view; the highest certified value I know is this one." A quorum of these
/// elects the next coordinator and binds it to the highest of the values (§2.3, R6).
package struct Timeout: Hashable, Sendable {
    package struct Certified: Hashable, Sendable {
        package let view: UInt32
        package let value: Digest

        package init(view: UInt32, value: Digest) {
            self.view = view
            self.value = value
        }
    }

    package let scope: StatementScope
    /// Nil where the node knows none; never of a view above `scope.view` (R10).
    package let highest: Certified?

    package init(scope: StatementScope, highest: Certified?) {
        self.scope = scope
        self.highest = highest
    }

    package var payload: [UInt8] {
        scope.fields(and: [
            (5, .integer(highest.map { Int64($0.view) } ?? -1)),
            (6, .digest(highest?.value ?? .zero)),
        ])
    }

    package init(payload: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: payload)
        scope = try StatementScope(reading: &fields)
        let view = try fields.integer(5, in: -1...Int64(scope.view))
        let value = try fields.digest(6)
        try fields.finish()
        guard view >= 0 else {
            guard value == .zero else { throw .outOfRange(field: 6) }
            highest = nil
            return
        }
        highest = Certified(view: UInt32(view), value: value)
    }
}
