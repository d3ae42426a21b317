package import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisTransport
import NIOCore
import NIOPosix

/// `aegis-node join`: makes an identity, proves to the admin that it has a token for this mesh and
/// the key it names, and writes the node's directory. Before the admin has said yes nothing is on
/// the disk.
package struct Joining: Sendable {
    private let token: String
    private let admin: String
    private let directory: String
    private let listen: String
    private let advertise: String
    private let monitor: String?

    package init(
        token: String, admin: String, directory: String, listen: String, advertise: String,
        monitor: String? = nil
    ) {
        self.token = token
        self.admin = admin
        self.directory = directory
        self.listen = listen
        self.advertise = advertise
        self.monitor = monitor
    }

    package struct Outcome: Sendable {
        package let meshName: String
        package let name: String
        package let node: NodeID
    }

    package func join() async throws -> Outcome {
        try Self.checkVacancy(of: directory, monitor: monitor)
        let now = MachineClock.wallSeconds
        let token: JoinToken
        do { token = try JoinToken(parsing: self.token, now: now) } catch {
            throw NodeError.token(error)
        }
        guard token.pin == .founding else {
            throw NodeError.joinRefused(
                code: "live-token", detail: "this mesh is founded: join through a member, --peer")
        }
        let identity = IdentityKey.generate()
        let tls = try TLSIdentity.issue(
            for: identity, mesh: token.mesh, sequence: MachineClock.wallMilliseconds, now: now)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let link = try await AdminLink(to: admin, identity: tls, group: group)
            let outcome: Outcome
            do {
                outcome = try await join(token, identity: identity, tls: tls, through: link)
            } catch {
                await link.client.shutdown()
                throw error
            }
            await link.client.shutdown()
            try await group.shutdownGracefully()
            return outcome
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    static func checkVacancy(of directory: String, monitor: String?) throws {
        guard (try? IdentityDirectory.open(at: directory).has(IdentityDirectory.keyName)) != true
        else { throw NodeError.alreadyJoined(directory) }
        if let monitor, NodeAddress(monitor) == nil {
            throw ConfigurationError(faults: ["monitor: \(monitor) is not host:port"])
        }
        do { try IdentityDirectory.checkVacancy(at: directory) } catch {
            throw NodeError.directory(error)
        }
    }

    private func join(
        _ token: JoinToken, identity: IdentityKey, tls: TLSIdentity, through link: AdminLink
    ) async throws -> Outcome {
        let offer = try await link.get("/mesh/v1/founding")
        let prepared: Joiner.Prepared
        do {
            prepared = try Joiner(token: token, identity: identity, tls: tls).prepare(
                offer: offer, presentedLeafDER: link.peer.leafDER, name: "", address: advertise,
                now: MachineClock.wallSeconds)
        } catch { throw NodeError.join(error) }
        let reply = try await link.post("/mesh/v1/join", body: prepared.body)
        var fields = try CBORFields(decoding: reply)
        let name = try fields.text(1)
        let record = JoinRecord(
            mesh: token.mesh, name: name, address: advertise, acceptor: prepared.acceptor.node,
            acceptorAddress: admin, joinedAt: MachineClock.wallSeconds)
        let configuration = NodeConfiguration(
            name: name, listen: listen, advertise: advertise, admin: admin, monitor: monitor)
        do {
            _ = try IdentityDirectory.create(
                at: directory, key: identity, passphrase: nil,
                files: [
                    DirectoryFile(IdentityDirectory.foundingName, prepared.founding.bytes),
                    DirectoryFile(IdentityDirectory.joinRecordName, record.encoded),
                    DirectoryFile(
                        NodeDirectory.configurationName, Array(try configuration.yaml.utf8)),
                ])
        } catch let error as IdentityDirectoryError { throw NodeError.directory(error) }
        return Outcome(
            meshName: prepared.founding.statement.name, name: name, node: identity.publicKey)
    }
}
