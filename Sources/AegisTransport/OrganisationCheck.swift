import AegisIdentity

extension VerifiedPeer {
    /// The same, with why no organisation vouches for it, where that is so.
    func vouchedFor(
        by authorities: OrganisationAuthorities, shown: [[UInt8]], now: UInt64
    ) async -> VerifiedPeer {
        var peer = self
        do throws(OrganisationError) {
            try await authorities.check(node, shown: shown, now: now)
        } catch { peer.organisation = error }
        return peer
    }
}
