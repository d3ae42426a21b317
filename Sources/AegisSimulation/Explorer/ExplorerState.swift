import AegisCore
import AegisProtocol

/// Everything that honest nodes know and have said. What traitors say needs no memory: they can say
/// it at any time.
struct ExplorerState {
    /// By place in the founders' roster, without the traitors.
    var nodes: [ExplorerLocal]
}

/// One state of one honest node, kept once: however the others stand, what a step makes of it is
/// the same, so the core computes it once.
final class ExplorerLocal {
    enum Outcome {
        case unchanged
        case changed(ExplorerLocal)
        case broken(String, ExplorerNode)
    }

    let node: ExplorerNode
    let fingerprint: Fingerprint
    let bindings: ParticipantBindings
    let isHalted: Bool
    /// What each step makes of it.
    var outcomes: [ExplorerStep: Outcome] = [:]
    private let vote1: [Int8]
    private let vote2: [Int8]
    private let views: Int

    init(_ node: ExplorerNode, _ fingerprint: Fingerprint, views: Int, heights: UInt64) {
        self.node = node
        self.fingerprint = fingerprint
        self.views = views
        bindings = node.participant.bindings
        isHalted = node.participant.isHalted
        var vote1 = Array(repeating: Int8(-1), count: views * Int(heights))
        var vote2 = vote1
        for said in node.said where said.height <= heights && said.view < views {
            let place = (Int(said.height) - 1) * views + said.view
            if said.kind == .vote1 { vote1[place] = Int8(said.value) }
            if said.kind == .vote2 { vote2[place] = Int8(said.value) }
        }
        self.vote1 = vote1
        self.vote2 = vote2
    }

    /// The value of its first or second vote; −1: none.
    func vote(_ kind: ExplorerNode.Said.Kind, _ height: UInt64, _ view: Int) -> Int {
        let place = (Int(height) - 1) * views + view
        return Int(kind == .vote1 ? vote1[place] : vote2[place])
    }
}

/// An honest node, and everything it has signed: it lies in the network for good, to be brought to
/// anybody at any time, or never.
struct ExplorerNode {
    var participant: Participant
    /// Hours that have passed for it, so that each timer is due.
    var hours: UInt64 = 1
    private(set) var said: [Said] = []

    /// One signature.
    struct Said {
        enum Kind: Int { case vote1, vote2, timeout, proposal, list }

        let kind: Kind
        let height: UInt64
        let view: Int
        /// The value voted for or proposed, or named by a timeout; −1: none.
        let value: Int
        /// Of the certificate that a timeout names, or a proposal's election; −1: none.
        let namedView: Int
        let envelope: SignedEnvelope

        /// What a timeout names, or the election of a proposal, which that binds.
        var named: ExplorerStep.Outcome {
            namedView < 0 ? .none : .init(view: namedView, value: value)
        }

        func isAbout(_ kind: Kind, _ height: UInt64, _ view: Int) -> Bool {
            self.kind == kind && self.height == height && self.view == view
        }
    }

    /// The first of its kind in this place.
    func first(_ kind: Said.Kind, _ height: UInt64, _ view: Int) -> Said? {
        said.first { $0.isAbout(kind, height, view) }
    }

    /// The vote of this kind for this value.
    func vote(_ kind: Said.Kind, _ height: UInt64, _ view: Int, for value: Int) -> Said? {
        said.first { $0.isAbout(kind, height, view) && $0.value == value }
    }

    mutating func say(_ new: Said) {
        // A growing list takes the place of the one before.
        if new.kind == .list { said.removeAll { $0.isAbout(.list, new.height, new.view) } }
        said.append(new)
    }

    /// What tells it from another in its place. Lists count where an honest node coordinates.
    /// `code` numbers values.
    func fingerprint(
        isCoordinating: Bool, areListsHeard: Bool, _ code: (Digest) -> Int
    ) -> Fingerprint {
        let essence = participant.essence(isCoordinating: isCoordinating)
        var fingerprint = Fingerprint()
        fingerprint.add(essence.height)
        fingerprint.add(code(essence.tip))
        fingerprint.add(UInt64(essence.view))
        fingerprint.add(essence.isHalted ? 1 : 0)
        fingerprint.add(essence.highest.map { Int($0.view) << 8 | code($0.value) } ?? -1)
        fingerprint.add(essence.candidate.map(code) ?? -1)
        if isCoordinating {
            fingerprint.add(Int(essence.entryView))
            fingerprint.add(essence.entryHighest.map { Int($0.view) << 8 | code($0.value) } ?? -1)
            fingerprint.add(Int(essence.proposedView))
            for value in essence.values { fingerprint.add(code(value)) }
            for node in essence.accused { fingerprint.add(1_000 + node) }
        }
        let words = said.compactMap { said -> Int? in
            guard areListsHeard || said.kind != .list else { return nil }
            return Int(said.height) << 40 | said.kind.rawValue << 32 | said.view << 24
                | (said.value + 1) << 12 | (said.namedView + 1)
        }.sorted()
        for word in words { fingerprint.add(word) }
        return fingerprint
    }
}
