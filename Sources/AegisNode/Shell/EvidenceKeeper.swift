import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisStore
import Synchronization

/// Remembers what the journal was given until the decision comes that it proves: the signed updates
/// of a round, and elections. Stored with the commit, in one transaction, and kept for good.
final class EvidenceKeeper: Sendable {
    private struct Held {
        var updates: [Digest: (round: Int, envelope: SignedEnvelope)] = [:]
        var elections: [TimeoutCertificate] = []
    }

    /// Views of one height that may end without a decision and still be told apart.
    private static let electionsMax = 64

    private let held = Mutex(Held())

    /// `records` are what the journal holds at a start.
    init(_ records: [AegisProtocol.JournalRecord]) {
        for record in records { journaled(record) }
    }

    func journaled(_ record: AegisProtocol.JournalRecord) {
        switch record {
        case .signed(.update(_, let round), let envelope): hold(envelope, round: round)
        case .update(let envelope):
            guard let verified = Libsodium().verify(envelope),
                let statement = try? UpdateStatement(payload: verified.payload)
            else { return }
            hold(envelope, round: statement.round)
        case .timeoutCertificate(let certificate):
            held.withLock { held in
                held.elections.append(certificate)
                if held.elections.count > Self.electionsMax { held.elections.removeFirst() }
            }
        case .signed, .proposal, .voteCertificate, .silence, .fork, .evidence:
            break
        }
    }

    private func hold(_ envelope: SignedEnvelope, round: Int) {
        let digest = SHA256.digest(of: envelope.bytes)
        held.withLock { $0.updates[digest] = (round, envelope) }
    }

    /// What proves this decision, as far as this node had it. `view` is the one that decided.
    func evidence(
        for header: Header, body: [UInt8], view: UInt32
    ) -> [StoredEvidence] {
        held.withLock { held in
            let elections = held.elections.filter { certificate in
                guard let scope = Self.scope(of: certificate) else { return false }
                return scope.height == header.height && scope.view + 1 == view
            }
            held.elections = []
            var evidence = elections.prefix(1).map {
                StoredEvidence(
                    kind: .election, digest: SHA256.digest(of: $0.encoded), bytes: $0.encoded)
            }
            guard header.kind == .round else { return evidence }
            let listed = Self.listed(in: body)
            for (digest, update) in held.updates.sorted(by: { $0.key < $1.key })
            where listed.contains(digest) {
                evidence.append(
                    StoredEvidence(kind: .update, digest: digest, bytes: update.envelope.bytes))
            }
            held.updates = held.updates.filter { $0.value.round > header.round }
            return evidence
        }
    }

    /// A run that is over has no rounds to come.
    func clear() { held.withLock { $0.updates = [:] } }

    private static func scope(of certificate: TimeoutCertificate) -> StatementScope? {
        guard let first = certificate.timeouts.first,
            let verified = Libsodium().verify(first)
        else { return nil }
        return (try? Timeout(payload: verified.payload))?.scope
    }

    /// The updates that anybody's list in a decided body names.
    private static func listed(in body: [UInt8]) -> Set<Digest> {
        guard let body = try? Body(decoding: body) else { return [] }
        var listed: Set<Digest> = []
        for envelope in body.lists {
            guard let verified = Libsodium().verify(envelope),
                let list = try? HaveList(payload: verified.payload)
            else { continue }
            listed.formUnion(list.members.map(\.update))
        }
        return listed
    }
}
