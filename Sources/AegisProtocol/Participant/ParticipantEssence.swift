package import AegisCore

/// All of a participant that what it will sign at this height, beyond what it has signed, can
/// depend on once everything that others may say is ready to be said to it: what an explorer tells
/// its states apart by. Votes and timeouts that came one by one are left out: they only ever make
/// certificates, which may come whole.
package struct ParticipantEssence: Hashable, Sendable {
    package let height: UInt64
    package let tip: Digest
    package let view: UInt32
    package let isHalted: Bool
    package let highest: Timeout.Certified?
    /// A proposal that it hasn't voted for and may not vote for any more than for the first one.
    package let candidate: Digest?
    /// What matters to whoever may coordinate: the election of its view, and the values it holds.
    package let entryView: Int64
    package let entryHighest: Timeout.Certified?
    package let proposedView: Int64
    package let values: [Digest]
    /// Places of those it holds proofs against.
    package let accused: [Int]
}

extension Participant {
    /// `isCoordinating`: whether it may coordinate a view.
    package func essence(isCoordinating: Bool) -> ParticipantEssence {
        let isWaiting =
            agreement.isOpen && agreement.vote1.map { $0.view < agreement.view } ?? true
        return ParticipantEssence(
            height: agreement.height, tip: chain.tip, view: agreement.view, isHalted: isHalted,
            highest: agreement.highest?.named,
            candidate: isWaiting ? agreement.candidate?.value : nil,
            entryView: isCoordinating ? agreement.entry.map { Int64($0.view) } ?? -1 : -1,
            entryHighest: isCoordinating ? agreement.entry?.highest?.named : nil,
            proposedView: isCoordinating ? agreement.proposedView : -1,
            values: isCoordinating ? agreement.values.map(\.digest).sorted() : [],
            accused: isCoordinating ? evidence.map(\.conviction.index) : [])
    }
}
