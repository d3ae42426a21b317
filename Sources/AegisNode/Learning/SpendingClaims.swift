import AegisCore
package import AegisPrivacy
import AegisProtocol

/// What the chain says a member has trained on, under whatever keys it had: for an owner whose
/// ledger is lost. The chain knows which updates were decided on, not what was charged for those
/// that came too late or were trained again after a crash; so from a member's first decided update
/// of a data set on, every round of a run on it counts while the member took part in the mesh.
package struct SpendingClaims: Sendable {
    package struct Claim: Hashable, Sendable {
        package let key: ReleaseKey
        package let event: MechanismEvent
        /// The name of the run.
        package let run: String
    }

    private let name: String
    private var known: [String: [Claim]] = [:]

    /// Of the member that the roster calls so.
    package init(of name: String) { self.name = name }

    /// By data set.
    package var byDataset: [String: [Claim]] { known }

    /// A decision was made after `before`.
    mutating func note(_ header: Header, after before: ChainState) {
        guard header.kind == .round, let run = before.active, header.round == run.round,
            let place = before.roster.entries.firstIndex(where: { $0.name == name })
        else { return }
        let isFirst = known[run.specification.dataset] == nil
        guard !isFirst || header.included.contains(place) else { return }
        claim(run)
    }

    /// The round that goes on may have been charged too.
    mutating func finish(_ chain: ChainState) {
        guard let run = chain.active, known[run.specification.dataset] != nil,
            chain.roster.entries.contains(where: { $0.name == name })
        else { return }
        claim(run)
    }

    private mutating func claim(_ run: ActiveRun) {
        let specification = run.specification
        guard let privacy = specification.privacy,
            let sampler = PoissonSampler(
                samplingRate: privacy.samplingRate, noiseMultiplier: privacy.noiseMultiplier,
                recordCount: 1)
        else { return }
        known[specification.dataset, default: []].append(
            Claim(
                key: ReleaseKey(run: specification.run.bytes, round: UInt64(run.round)),
                event: sampler.event(afterSteps: specification.training.localSteps),
                run: specification.name))
    }
}
