import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisTransport
import Logging
import NIOCore

/// A founder's part in the founding: waits for the roster, checks that it has this node as it
/// joined, signs the genesis, and waits until every founder has.
struct FoundingWait: Sendable {
    let directory: NodeDirectory
    let identity: IdentityKey
    let founding: SignedFounding
    let record: JoinRecord
    let tls: TLSIdentity
    let group: any EventLoopGroup
    let logger: Logger

    private static let pollInterval = Duration.milliseconds(250)

    func genesis() async throws -> Genesis {
        logger.info("waiting for the mesh to be founded", metadata: ["mesh": "\(record.mesh)"])
        while true {
            do {
                let link = try await AdminLink(
                    to: record.acceptorAddress, identity: tls, group: group)
                do {
                    guard link.peer.node == founding.statement.admin else {
                        throw NodeError.join(.acceptorIsNotTheAdmin(link.peer.node))
                    }
                    let genesis = try await poll(link)
                    await link.client.shutdown()
                    return genesis
                } catch {
                    await link.client.shutdown()
                    throw error
                }
            } catch let error as NodeError {
                switch error {
                case .adminUnreachable, .notLetIn: break
                default: throw error
                }
                logger.warning(
                    "the admin does not answer; trying again",
                    metadata: ["reason": "\(FailureReport(error).message)"])
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    private func poll(_ link: AdminLink) async throws -> Genesis {
        var signed = false
        while true {
            var fields = try CBORFields(decoding: try await link.get("/mesh/v1/genesis"))
            let state = try fields.text(1)
            if state == "signing", !signed, case .bytes(let payload) = try fields.value(2) {
                try await sign(payload, link)
                signed = true
            }
            if state == "founded", case .bytes(let bytes) = try fields.value(3) {
                return try accept(try GenesisDocument(decoding: bytes))
            }
            try await Task.sleep(for: Self.pollInterval)
        }
    }

    private func sign(_ payload: [UInt8], _ link: AdminLink) async throws {
        let statement: GenesisStatement
        do { statement = try GenesisVerifier().check(payload, founding: founding) } catch {
            throw NodeError.genesisRefused(error)
        }
        try checkOwnEntry(in: statement.roster)
        let envelope = EnvelopeSigner(identity).sign(.genesisSignature, payload)
        _ = try await link.post("/mesh/v1/genesis-signatures", body: envelope.bytes)
        logger.info("signed the genesis", metadata: ["participants": "\(statement.roster.count)"])
    }

    private func accept(_ document: GenesisDocument) throws -> Genesis {
        let genesis: Genesis
        do {
            genesis = try GenesisVerifier().verify(document, pinned: founding.digest)
        } catch { throw NodeError.genesisRefused(error) }
        try checkOwnEntry(in: genesis.roster)
        try directory.saveGenesis(document)
        return genesis
    }

    private func checkOwnEntry(in roster: Roster) throws(NodeError) {
        let own = RosterEntry(
            node: identity.publicKey, name: record.name, address: record.address)
        guard roster.entries.contains(own) else { throw .leftOutOfGenesis }
    }
}
