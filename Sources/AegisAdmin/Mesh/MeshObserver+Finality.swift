import AegisAPI
import AegisCore
import AegisProtocol
import Logging

// Which decisions are final. What nodes say is checked by the co-signatures.
extension MeshObserver {
    /// The wait for co-signatures of a decision that somebody wants to take away as a result.
    private static let attempts = 15
    private static let certificateBytesMax = 1 << 20

    /// After a look: the highest that a node says it has.
    func followFinality(_ roster: Roster) async {
        let known = observed?.final?.height ?? 0
        let wanted = seen.values.filter(\.reachable).compactMap { $0.status?.final?.height }
            .filter { $0 <= observed?.state.height ?? 0 }.max()
        guard let wanted, wanted > known else { return }
        await fetchFinal(from: wanted, roster)
    }

    /// What makes `height` final, waited for a little; nil where it isn't yet.
    func finality(of height: UInt64) async throws -> StoredFinality? {
        for attempt in 0..<Self.attempts {
            if let stored = try await database.final(from: height) { return stored }
            guard let roster = observed?.roster else { return nil }
            await fetchFinal(from: height, roster)
            if let stored = try await database.final(from: height) { return stored }
            guard attempt + 1 < Self.attempts else { break }
            try await ContinuousClock().sleep(for: .milliseconds(200))
        }
        return nil
    }

    private func fetchFinal(from height: UInt64, _ roster: Roster) async {
        for entry in roster.members where seen[entry.node]?.reachable == true {
            do {
                let bytes = try await calls.get(
                    "/mesh/v1/final?from=\(height)", from: entry,
                    bytesMax: Self.certificateBytesMax)
                if try await take(bytes, from: height) { return }
            } catch {
                logger.debug(
                    "no final certificate from a node",
                    metadata: ["peer": "\(entry.name)", "error": "\(error)"])
            }
        }
    }

    /// Whether it proves that this height is final.
    private func take(_ bytes: [UInt8], from height: UInt64) async throws -> Bool {
        let certificate = try FinalCertificate(decoding: bytes)
        // Which roster decided it follows from what it says, and is checked by what it proves.
        guard let first = certificate.coSigns.first,
            let verified = self.rules?.cryptography.verify(first),
            let claimed = try? CoSign(payload: verified.payload),
            let rules = try await rules(deciding: claimed.scope.height)
        else { return false }
        let finality = try rules.verify(certificate)
        let ours = try await database.commits(
            from: finality.height, through: finality.height
        ).first
        guard finality.height >= height, finality.value == ours?.digest else { return false }
        try await database.insertFinal(finality, bytes: bytes)
        noteFinal(FinalityView(finality))
        return true
    }

    /// Under the roster that decided this height; nil where it isn't known here.
    private func rules(deciding height: UInt64) async throws -> MeshRules? {
        guard let rules, let state = observed?.state, height >= 1, height <= state.height else {
            return nil
        }
        // Mostly the roster is the same as ever.
        if let before = beforeTip, before.height + 1 == height { return rules.at(before) }
        let records = try await database.commits(through: height - 1)
            .map { try CommitRecord(decoding: $0.bytes) }
        return rules.at(try rules.replay(records))
    }
}

extension FinalityView {
    init(_ finality: Finality) {
        self.init(
            height: finality.height, signatures: finality.signatures,
            participants: finality.participants, resists: finality.resists)
    }
}
