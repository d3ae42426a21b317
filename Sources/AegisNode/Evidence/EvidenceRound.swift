import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol

/// A committed round: which signed updates it includes, and what comes of them.
struct EvidenceRound {
    struct Update {
        let member: HaveList.Member
        let statement: UpdateStatement
        let item: EvidenceItem
    }

    let commit: Commit
    let run: ActiveRun
    let words: EvidenceWords

    private var header: Header { commit.header }

    /// The signed updates in the order of the roster: all, or none where none was kept.
    func updates(in source: any EvidenceSource) throws -> [Update] {
        let items = try source.updates(at: header.height)
        guard !items.isEmpty else { return [] }
        var kept: [Digest: EvidenceItem] = [:]
        for item in items { kept[SHA256.digest(of: item.bytes)] = item }
        // Something that is there and not of this round was put there, or altered.
        let wanted = Set(commit.included.map(\.update))
        // A node keeps what anybody's list named, so also what was left out.
        if !source.keepsPartialRounds,
            let stranger = items.first(where: {
                !wanted.contains(SHA256.digest(of: $0.bytes))
            })
        {
            throw EvidenceFault(
                place: stranger.name,
                reason: "is none of the updates that the round at height \(header.height) includes")
        }
        if source.keepsPartialRounds, !wanted.isSubset(of: kept.keys) { return [] }
        return try commit.included.map { member in
            let name = words.name(at: member.index)
            guard let item = kept[member.update] else {
                throw EvidenceFault(
                    place: "updates/\(header.height)",
                    reason: "\(name)'s signed update \(member.update) is missing")
            }
            return Update(
                member: member, statement: try statement(in: item, of: member), item: item)
        }
    }

    private func statement(
        in item: EvidenceItem, of member: HaveList.Member
    ) throws -> UpdateStatement {
        let name = words.name(at: member.index)
        let node = words.roster.entries[member.index].node
        func fault(_ reason: String) -> EvidenceFault {
            EvidenceFault(place: item.name, reason: reason)
        }
        guard let envelope = try? SignedEnvelope(parsing: item.bytes), envelope.type == .update
        else { throw fault("is no signed update") }
        guard envelope.sender == node, let verified = Libsodium().verify(envelope) else {
            throw fault("\(name) did not sign it")
        }
        let statement: UpdateStatement
        do { statement = try UpdateStatement(payload: verified.payload) } catch {
            throw fault("can't be read: \(error)")
        }
        guard statement.node == node, statement.run == header.run,
            statement.round == header.round, statement.base == header.base
        else { throw fault("is not for round \(header.round) of this run") }
        guard statement.follows(run.specification) else {
            throw fault("was not made as the run declares")
        }
        return statement
    }

    /// The intake checks and the rule, as every voter had to apply them.
    func recompute(_ updates: [Update], in workshop: EvidenceWorkshop) throws {
        let place = "certificates/\(header.height).cbor"
        for update in updates {
            let request = FetchRequest(
                update: update.member.update, statement: update.statement,
                specification: run.specification, from: [])
            do { try workshop.desk.check(request) } catch let fault as UpdateFault {
                throw EvidenceFault(
                    place: "blobs/\(update.statement.blob.digest.hexadecimal).safetensors",
                    reason: "\(words.name(update.statement.node)): \(fault)")
            }
        }
        let request = AggregateRequest(
            specification: run.specification, round: header.round, base: header.base,
            parts: updates.map {
                .init(
                    node: $0.statement.node, update: $0.member.update,
                    blob: $0.statement.blob.digest, weight: $0.statement.weight)
            }, holders: [])
        let result = try workshop.desk.aggregate(request).result
        guard result.aggregate == header.aggregate else {
            throw EvidenceFault(
                place: place,
                reason: "names the aggregate \(header.aggregate); these updates give "
                    + "\(result.aggregate)")
        }
        guard result.model == header.model else {
            throw EvidenceFault(
                place: place,
                reason: "names the model \(header.model); these updates give \(result.model)")
        }
    }
}
