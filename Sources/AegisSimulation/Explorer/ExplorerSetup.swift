package import AegisProtocol

/// What is explored: every order, and every loss, of what may be said at one height by so many
/// honest nodes and traitors, in so many views (PROTOCOL.md §2.13).
package struct ExplorerSetup: Sendable {
    package var nodes: Int
    /// The first of the roster. They sign whatever their key can sign.
    package var traitors: Int
    package var views: Int
    /// The place in the roster of each view's coordinator. A traitor proposes anything to anybody.
    package var coordinators: [UInt8]
    /// Whether the height decides that one more node leaves, and the next height is explored, too.
    package var isRosterChanging: Bool
    package var breaches: RuleBreaches
    /// States after which to give up; nil: when all are seen.
    package var statesMax: Int?
    /// Whether two certified values are passed over, to see whether two are decided.
    package var isForkSought = false

    package init(
        nodes: Int = 4, traitors: Int = 1, views: Int = 2, coordinators: [UInt8]? = nil,
        isRosterChanging: Bool = false, breaches: RuleBreaches = [], statesMax: Int? = nil
    ) {
        self.nodes = nodes
        self.traitors = traitors
        self.views = views
        self.coordinators = coordinators ?? Array(repeating: 0, count: views)
        self.isRosterChanging = isRosterChanging
        self.breaches = breaches
        self.statesMax = statesMax
    }

    /// Before anybody left.
    var founders: Int { nodes + (isRosterChanging ? 1 : 0) }
    var heights: UInt64 { isRosterChanging ? 2 : 1 }
    var honest: Range<Int> { traitors..<founders }
    func isTraitor(_ place: Int) -> Bool { place < traitors }

    /// Whether honest nodes coordinate nothing, so that they differ in nothing but their names.
    var isSymmetric: Bool { coordinators.allSatisfy { $0 < traitors } }
}

/// How an exploration went.
package struct ExplorerReport: Sendable {
    package let states: Int
    /// States of single nodes that they are made of, which the core has computed.
    package let locals: Int
    package let transitions: Int
    package let depthMax: Int
    /// Of the table of states.
    package let tableBytes: Int
    /// Whether no state is left.
    package let isComplete: Bool
    /// The broken invariant, and the way there.
    package let violation: String?
    package let transcript: [String]
}
