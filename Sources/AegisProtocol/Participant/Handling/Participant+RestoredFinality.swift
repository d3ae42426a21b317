import AegisCore

// What was co-signed and proved before a restart.
extension Participant {
    /// The tip is still to be co-signed by others, maybe.
    mutating func restoreFinality(_ durable: DurableState) {
        if let final = durable.final, final.finality.height <= chain.height {
            finality.final = final
        }
        guard let tip = durable.tip, let before = durable.beforeTip else { return }
        finality.add(
            UnfinishedHeight(
                height: chain.height, value: chain.tip, rules: rules.at(before), record: tip,
                transcript: []))
        guard let final = durable.final, final.finality.height == chain.height else { return }
        for envelope in final.certificate.coSigns { try? takeBack(envelope) }
    }

    mutating func restoreCoSign(_ envelope: SignedEnvelope) {
        guard !rules.breaches.contains(.coSignsNotRestored),
            let statement = try? opener.openAny(envelope, as: CoSign.self)
        else { return }
        let height = statement.scope.height
        guard finality.last.map({ $0.height < height }) ?? true else { return }
        finality.last = (height, statement.value)
        if height == chain.height, statement.value == chain.tip {
            finality.own = envelope
            try? takeBack(envelope)
        }
    }

    private mutating func takeBack(_ envelope: SignedEnvelope) throws(EnvelopeRefusal) {
        let statement = try opener.openAny(envelope, as: CoSign.self)
        guard let index = finality.index(of: statement.scope.height),
            statement.value == finality.heights[index].value
        else { return }
        let placed = try opener.place(envelope, statement, under: finality.heights[index].rules)
        _ = finality.change(index) { $0.insert(placed) }
    }

    /// What was proved and is not decided yet.
    mutating func restoreEvidence(_ proof: Evidence) {
        guard !chain.convicted.contains(proof.first.sender),
            !evidence.contains(where: { $0.conviction.node == proof.first.sender }),
            let conviction = try? rules.verify(proof, using: &opener)
        else { return }
        evidence.append(KnownEvidence(proof, conviction))
        evidence.sort { $0.conviction.index < $1.conviction.index }
    }
}
