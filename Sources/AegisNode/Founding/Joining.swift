import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisTransport

/// `aegis-node join`: makes an identity, proves to the admin that it has a token for this mesh and
/// the key it names, and writes the node's directory. Before the admin has said yes nothing is on
/// the disk.
package struct Joining: Sendable {
    private let plan: JoinPlan
    private let admin: String

    package init(_ plan: JoinPlan, admin: String) {
        self.plan = plan
        self.admin = admin
    }

    package func join() async throws -> JoinPlan.Outcome {
        try await plan.withIdentity(
            pin: .founding,
            otherwise: .joinRefused(
                code: "live-token",
                detail: "this mesh is founded: join through a member, --peer; or come back as one "
                    + "with --replaces NAME")
        ) { token, identity, tls, group in
            let link = try await AdminLink(to: admin, identity: tls, group: group)
            let outcome: JoinPlan.Outcome
            do {
                outcome = try await join(token, identity: identity, tls: tls, through: link)
            } catch {
                await link.client.shutdown()
                throw error
            }
            await link.client.shutdown()
            return outcome
        }
    }

    private func join(
        _ token: JoinToken, identity: IdentityKey, tls: TLSIdentity, through link: AdminLink
    ) async throws -> JoinPlan.Outcome {
        let offer = try await link.get("/mesh/v1/founding")
        let prepared: Joiner.Prepared
        do {
            prepared = try Joiner(token: token, identity: identity, tls: tls).prepare(
                offer: offer, presentedLeafDER: link.peer.leafDER, name: plan.name,
                address: plan.advertise, now: MachineClock.wallSeconds)
        } catch { throw NodeError.join(error) }
        let reply = try await link.post("/mesh/v1/join", body: prepared.body)
        var fields = try CBORFields(decoding: reply)
        let name = try fields.text(1)
        let record = JoinRecord(
            mesh: token.mesh, name: name, address: plan.advertise, acceptor: prepared.acceptor.node,
            acceptorAddress: admin, joinedAt: MachineClock.wallSeconds)
        let configuration = plan.configuration(name: name, admin: admin)
        do {
            _ = try IdentityDirectory.create(
                at: plan.directory, key: identity, passphrase: nil,
                files: [
                    DirectoryFile(IdentityDirectory.foundingName, prepared.founding.bytes),
                    DirectoryFile(IdentityDirectory.joinRecordName, record.encoded),
                    DirectoryFile(
                        NodeDirectory.configurationName, Array(try configuration.yaml.utf8)),
                ])
        } catch let error as IdentityDirectoryError { throw NodeError.directory(error) }
        return JoinPlan.Outcome(
            meshName: prepared.founding.statement.name, name: name, node: identity.publicKey)
    }
}
