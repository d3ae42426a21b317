import AegisCore

// Giving up on a coordinator, and electing the next (R6 to R8, R10).
extension Participant {
    mutating func viewElapsed() {
        guard agreement.isOpen, isSigning else { return }
        giveUp(agreement.view)
    }

    /// R6. After it no vote in this view or below.
    private mutating func giveUp(_ view: UInt32) {
        observe(
            .viewTimedOut(
                height: agreement.height, view: view, coordinator: coordinator(of: view)))
        agreement.timeoutView = Int64(view)
        agreement.draft = nil
        retransmissions = 0
        cancelTimer(.view)
        // The highest certificate and the election are durable since they were learnt.
        let highest =
            rules.breaches.contains(.timeoutWithoutCertificate) ? nil : agreement.highest?.named
        let timeout = Timeout(scope: scope(view), highest: highest)
        send(electionProof, to: others)
        sign(.timeout(height: agreement.height, view: view), timeout.payload, to: others)
    }

    /// What shows a peer that we rightly are in this view, and supports our timeout.
    var electionProof: [Statement] {
        var proof: [Statement] = []
        if let highest = agreement.highest { proof.append(.voteCertificate(highest.certificate)) }
        if let entry = agreement.entry { proof.append(.timeoutCertificate(entry.certificate)) }
        return proof
    }

    mutating func receivedTimeout(
        _ timeout: Placed<Timeout>, from peer: NodeID
    ) throws(Refusal) {
        let view = timeout.statement.scope.view
        if view < agreement.view { helpToView(peer) }
        if let highest = timeout.statement.highest, !agreement.knows(highest) {
            throw .unsupportedTimeout
        }
        compare(timeout)
        guard agreement.timeouts.insert(timeout) else { return }
        if view >= agreement.view, let election = election(at: view) { elected(election) }
        amplify()
    }

    /// A quorum's timeouts of one view, and the highest certificate they name.
    private func election(at view: UInt32) -> Election? {
        let all = agreement.timeouts.matching { $0.scope.view == view }
        guard all.count >= rules.electionQuorum else { return nil }
        let timeouts = all.prefix(rules.electionQuorum)
        let named = timeouts.compactMap(\.statement.highest).max { $0.view < $1.view }
        var highest: CertifiedValue?
        if let named {
            // Two certified values of one view take more traitors than the roster bears.
            guard
                timeouts.allSatisfy({
                    $0.statement.highest?.view != named.view || $0.statement.highest == named
                })
            else { return nil }
            highest = agreement.certificates.first { $0.named == named }
            if highest == nil, agreement.highest?.named == named { highest = agreement.highest }
            guard highest != nil else { return nil }
        }
        return Election(
            height: agreement.height, view: view, highest: highest,
            certificate: TimeoutCertificate(
                timeouts: timeouts.map(\.envelope), highest: highest?.certificate))
    }

    /// R7: where `a` others gave up on a view, the highest on which so many did is given up here
    /// too. a = max(2, f + 1): one flaky clock dethrones nobody.
    mutating func amplify() {
        guard isSigning else { return }
        let threshold = max(2, rules.roster.faultTolerance + 1)
        let views = agreement.timeouts.highestViews.compactMap(\.self).sorted(by: >)
        guard views.count >= threshold else { return }
        let view = views[threshold - 1]
        guard Int64(view) > agreement.timeoutView, view >= agreement.view else { return }
        if view > agreement.view { enter(view) }
        giveUp(view)
    }

    /// R8: an election admits to the next view, and is passed on to whoever may not have it.
    mutating func elected(_ election: Election) {
        if let highest = election.highest { certifiedValue(highest) }
        guard agreement.entry.map({ $0.view < election.view }) ?? true else { return }
        agreement.entry = election
        if !rules.breaches.contains(.electionNotRecorded) {
            perform(.persist(.timeoutCertificate(election.certificate)))
        }
        guard election.view + 1 > agreement.view else { return }
        enter(election.view + 1)
        let signers = election.certificate.timeouts.map(\.sender)
        send(
            [.timeoutCertificate(election.certificate)],
            to: others.filter { !signers.contains($0) || $0 == coordinator })
        carryCertifiedValue()
    }

    mutating func enter(_ view: UInt32) {
        precondition(view > agreement.view, "a view is entered once")
        agreement.view = view
        agreement.lists = agreement.lists.map { _ in nil }
        agreement.draft = nil
        agreement.isDraftFailed = false
        agreement.candidate = nil
        agreement.ownList = nil
        agreement.pendingList = nil
        agreement.listSequence = 0
        retransmissions = 0
        cancelTimer(.view)
        observe(
            .viewEntered(height: agreement.height, view: view, coordinator: coordinator(of: view)))
    }

    /// The coordinator may lack the value that its election binds it to; who voted for it has it.
    mutating func carryCertifiedValue() {
        guard !isCoordinator, let highest = agreement.election?.highest,
            let value = agreement.value(highest.value)
        else { return }
        send(
            updates(of: value.plan.included).map { .signed($0) } + [.signed(value.proposal)],
            to: [coordinator])
    }
}
