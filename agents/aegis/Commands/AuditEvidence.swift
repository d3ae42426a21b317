package import AegisAPI
import AegisCore
import AegisIdentity
import AegisProtocol
import Foundation

/// What the mesh has signed, as files: its genesis and every commit record. Whoever has them needs
/// neither the admin nor a node to say what is true.
package enum AuditEvidence {
    static func fetch(_ client: AdminClient, to path: String) async throws {
        let folder = try ExportFolder(path: path)
        try folder.write(Array(try await client.send(.get("/mesh/genesis"))), to: "genesis.cbor")
        try folder.write(
            try AegisAPI.decode(
                Items<CertificateView>.self,
                from: try await client.sendAll("/mesh/certificates")
            ).items)
    }

    /// The heads of the audit log that a quorum of the mesh has signed, every signature checked
    /// from the genesis on. Of the mesh's admin, or an earlier one whose key begins with `admin`.
    package static func witnesses(
        in path: String, of admin: String? = nil
    ) throws -> [AuditWitnessView] {
        let genesis: Genesis
        do {
            genesis = try GenesisVerifier().verify(
                try GenesisDocument(decoding: try bytes(path + "/genesis.cbor")))
        } catch let failure as Failure { throw failure } catch {
            throw Failure(.failure, "\(path)/genesis.cbor proves nothing: \(error)")
        }
        let rules = MeshRules(
            founding: genesis.founding.statement, genesis: genesis.statement,
            cryptography: Libsodium())
        var state = rules.initialState
        var witnesses: [(admin: NodeID, head: AuditWitnessView)] = []
        for height in 1... {
            let file = "\(path)/certificates/\(height).cbor"
            guard FileManager.default.fileExists(atPath: file) else { break }
            let commit: Commit
            do {
                commit = try rules.verify(
                    try CommitRecord(decoding: try bytes(file)), extending: state)
            } catch let failure as Failure { throw failure } catch {
                throw Failure(.failure, "\(file) proves nothing: \(error)")
            }
            for case .witness(let head) in commit.commands.map(\.action) {
                let view = AuditWitnessView(
                    sequence: Int64(clamping: head.records), digest: head.digest.description,
                    height: commit.header.height)
                witnesses.append((state.admin, view))
            }
            state = commit.state
        }
        let wanted = admin ?? state.admin.text
        return witnesses.filter { $0.admin.text.hasPrefix(wanted) }.map(\.head)
    }

    private static func bytes(_ path: String) throws(Failure) -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Failure(
                .notFound, "\(path) can't be read",
                hint: "`aegis audit export --to FILE --evidence DIR` writes it")
        }
        return Array(data)
    }
}
