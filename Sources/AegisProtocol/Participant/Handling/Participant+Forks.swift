import AegisCore

// Two certified values of one height: more traitors than the roster bears (PROTOCOL.md §2.9). The
// node signs nothing any more, keeps the proof, and shows it to whoever still goes on.
extension Participant {
    /// A record of a height that is decided here: another value with a quorum's votes is a fork.
    mutating func compare(_ record: CommitRecord, at height: UInt64) throws(CommitError) {
        guard let decided = finality[height],
            rules.cryptography.digest(record.header) != decided.value
        else { return }
        opener.adopt(decided.rules)
        defer { opener.adopt(rules) }
        _ = try decided.rules.verifyCertificate(of: record, height: height, using: &opener)
        forked(ForkProof(decided.record, record), at: height)
    }

    /// A record of the next height that a quorum signed and that doesn't extend our chain: theirs
    /// differs from ours at some height before.
    mutating func compareBranch(_ record: CommitRecord, _ header: Header, from peer: NodeID) {
        guard header.previous != chain.tip, chain.height > 0,
            (try? rules.verifyCertificate(of: record, height: header.height, using: &opener))
                != nil
        else { return }
        askForOther(chain.height, from: [peer])
    }

    mutating func received(_ proof: ForkProof, from peer: NodeID) throws(Refusal) {
        let header: Header
        do { header = try rules.decodeHeader(of: proof.first) } catch { throw .commit(error) }
        let known = finality[header.height]?.rules
        guard let rules = known ?? (header.roster == rules.rosterDigest ? rules : nil) else {
            return
        }
        do { _ = try rules.verify(proof) } catch { throw .commit(error) }
        forked(proof, at: header.height)
    }

    mutating func forked(_ proof: ForkProof, at height: UInt64) {
        guard !isHalted else { return }
        accuseForkers(proof, at: height)
        forkProof = proof
        perform(.persist(.fork(proof)))
        send([.fork(proof)], to: rules.roster.members.map(\.node))
        halt(at: height)
    }

    /// This node has co-signed another header of this height, and its disk has lost the commit
    /// since: it had a quorum's votes, too. Found again after each start.
    mutating func forkedFromOwn(_ commit: Commit) { halt(at: commit.header.height) }

    private mutating func halt(at height: UInt64) {
        observe(.forked(height: height))
        for timer in TimerID.allCases { cancelTimer(timer) }
        if round?.training == .underWay { perform(.cancelTraining) }
        forkHeight = height
    }

    /// Those who signed for both, as far as it shows from here.
    private mutating func accuseForkers(_ proof: ForkProof, at height: UInt64) {
        let known = finality[height]?.transcript ?? []
        let signed = known + proof.first.certificate + proof.second.certificate
        for vote in proof.first.certificate + proof.second.certificate {
            for other in signed where other.sender == vote.sender && other.bytes != vote.bytes {
                accuse(vote, other)
            }
        }
    }

    /// A halted node says nothing but why.
    mutating func handleHalted(_ input: Input) {
        switch input {
        case .start:
            isStarted = true
            if let forkHeight { observe(.forked(height: forkHeight)) }
            showFork(to: others)
        case .received(.fork, _), .received(.evidence, _): break
        case .received(_, let peer):
            guard mayAnswer(peer, configuration.timing.forkInterval, \.helpedAt) else { return }
            showFork(to: [peer])
        default: break
        }
    }

    private mutating func showFork(to peers: [NodeID]) {
        guard let forkProof else { return }
        send([.fork(forkProof)] + evidence.map { .evidence($0.evidence) }, to: peers)
    }
}
