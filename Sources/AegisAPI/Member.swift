/// A member of a founded mesh, as its last decision has it.
package struct MemberView: Codable, Sendable, Equatable {
    package enum Standing: String, Codable, Sendable, CaseIterable {
        case participant
        /// Has joined; does not follow the chain yet.
        case learner
        /// Follows the chain: can be promoted.
        case ready
        case observer
        case suspended
    }

    package var node: String
    package var name: String
    package var address: String
    package var standing: Standing

    package init(node: String, name: String, address: String, standing: Standing) {
        self.node = node
        self.name = name
        self.address = address
        self.standing = standing
    }
}
