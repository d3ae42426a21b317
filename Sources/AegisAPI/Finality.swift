/// How firmly a decision stands: a quorum's votes commit it, co-signatures of it or of a later one
/// make it final.
package struct FinalityView: Codable, Hashable, Sendable {
    /// This height and all before it are final.
    package var height: UInt64
    package var signatures: Int
    package var participants: Int
    /// With so many traitors there is still no other value of this height.
    package var resists: Int

    package init(height: UInt64, signatures: Int, participants: Int, resists: Int) {
        self.height = height
        self.signatures = signatures
        self.participants = participants
        self.resists = resists
    }

    /// `final (resists 3 traitors)`.
    package var words: String {
        switch resists {
        case 0: "final"
        case 1: "final (resists 1 traitor)"
        default: "final (resists \(resists) traitors)"
        }
    }

    /// Of a decision of which nothing more is known.
    package static let committed = "committed, not final yet"
}
