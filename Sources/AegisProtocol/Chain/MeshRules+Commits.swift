package import AegisCore

/// A record that was checked: what it decided.
package struct Commit: Hashable, Sendable {
    package let record: CommitRecord
    package let header: Header
    /// Of the header: what the votes are for.
    package let digest: Digest
    /// Of the votes in the certificate. Nodes may hold certificates of different views for one
    /// value: it is not agreed content.
    package let view: UInt32
    /// S with the digests of the signed updates, in the order of the roster; empty unless the kind
    /// is round.
    package let included: [HaveList.Member]
    package let commands: [Command]
    package let state: ChainState
}

extension MeshRules {
    /// Checks a record from nothing but the state before it: the quorum's signatures, the link to
    /// the header before, and that everything in the header but the aggregate and the model follows
    /// from the signed lists and commands in the body. Those two take the blobs to recompute.
    package func verify(
        _ record: CommitRecord, extending state: ChainState
    ) throws(CommitError) -> Commit {
        let rules = at(state)
        var opener = EnvelopeOpener(rules)
        return try rules.verify(record, extending: state, using: &opener)
    }

    /// The state after these records, which the caller has verified and stored itself: signatures
    /// of votes are not checked again, links are.
    package func replay(
        _ records: some Sequence<CommitRecord>, from state: ChainState? = nil
    ) throws(CommitError) -> ChainState {
        var opener = EnvelopeOpener(self)
        var state = state ?? initialState
        for record in records {
            let header = try decodeHeader(of: record)
            let rules = at(state)
            do {
                let body = try Body(decoding: record.body)
                let commands = try rules.open(body.commands, using: &opener).map(\.command)
                state = try rules.apply(header, of: record, commands: commands, to: state)
            } catch let error as ValueError {
                throw .value(error)
            } catch let error as StatementError {
                throw .value(.malformed(error))
            } catch {
                preconditionFailure("no other error is thrown")
            }
        }
        return state
    }

    /// These rules and `opener` are those of the height after `state`.
    func verify(
        _ record: CommitRecord, extending state: ChainState, using opener: inout EnvelopeOpener
    ) throws(CommitError) -> Commit {
        let header = try decodeHeader(of: record)
        let view = try verifyCertificate(of: record, height: header.height, using: &opener)
        do {
            guard header.height == state.height + 1 else {
                throw ValueError.chain(
                    .wrongHeight(header.height, expected: state.height + 1))
            }
            let plan = try plan(after: state, body: record.body, using: &opener)
            let claimed = ComputeResult(aggregate: header.aggregate, model: header.model)
            guard isEqual(plan.header(with: plan.isComputed ? claimed : nil), header) else {
                throw ValueError.headerDiffers
            }
            let body = try Body(decoding: record.body)
            let commands = try open(body.commands, using: &opener).map(\.command)
            return Commit(
                record: record, header: header, digest: cryptography.digest(record.header),
                view: view, included: plan.included, commands: commands,
                state: try apply(header, of: record, commands: commands, to: state))
        } catch let error as ValueError {
            throw .value(error)
        } catch let error as StatementError {
            throw .value(.malformed(error))
        } catch {
            preconditionFailure("no other error is thrown")
        }
    }

    /// The view of the quorum's votes, all for this record's header.
    func verifyCertificate(
        of record: CommitRecord, height: UInt64, using opener: inout EnvelopeOpener
    ) throws(CommitError) -> UInt32 {
        let votes: [Placed<Vote2>]
        do {
            votes = try open(
                record.certificate, as: Vote2.self, quorum: quorum, using: &opener)
        } catch {
            throw .certificate(error)
        }
        let digest = cryptography.digest(record.header)
        let scope = votes[0].statement.scope
        guard scope.height == height else { throw .certificate(.wrongHeight) }
        guard votes.allSatisfy({ $0.statement.scope == scope }) else {
            throw .certificate(.mixed)
        }
        guard votes.allSatisfy({ $0.statement.value == digest }) else { throw .anotherValue }
        return scope.view
    }

    func decodeHeader(of record: CommitRecord) throws(CommitError) -> Header {
        do { return try Header(decoding: record.header) } catch {
            throw .value(.malformed(error))
        }
    }

    private func apply(
        _ header: Header, of record: CommitRecord, commands: [Command], to state: ChainState
    ) throws(ValueError) -> ChainState {
        guard header.body == cryptography.digest(record.body) else { throw .bodyDiffers }
        let next: ChainState
        do {
            next = try state.applying(
                header, digest: cryptography.digest(record.header), commands: commands,
                mesh: mesh)
        } catch {
            throw .chain(error)
        }
        guard header.roster == rosterDigest, header.nextRoster == digest(of: next.roster) else {
            throw .headerDiffers
        }
        return next
    }
}
