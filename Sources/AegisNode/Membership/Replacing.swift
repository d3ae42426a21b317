import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisTransport
import NIOCore

/// `aegis-node join --replaces`: comes back as a member whose key or disk is lost, maybe on another
/// machine. A new key takes the old one's place for good, with its name and standing; the admin
/// has to be asked, and the mesh decides. Only then is anything on the disk.
package struct Replacing: Sendable {
    private let plan: JoinPlan
    private let admin: String

    private static let admittedWithin = Duration.seconds(60)

    /// The plan's name is that of the member.
    package init(_ plan: JoinPlan, admin: String) {
        self.plan = plan
        self.admin = admin
    }

    package func join() async throws -> JoinPlan.Outcome {
        let outcome = try await plan.withIdentity(
            pin: .genesis,
            otherwise: .joinRefused(
                code: "founding-token", detail: "this token is for a founding, not a replacement")
        ) { token, identity, tls, group in
            try await join(token, identity: identity, tls: tls, group: group)
        }
        try await moveIfElsewhere()
        return outcome
    }

    private func join(
        _ token: JoinToken, identity: IdentityKey, tls: TLSIdentity, group: any EventLoopGroup
    ) async throws -> JoinPlan.Outcome {
        let link = try await AdminLink(to: admin, identity: tls, group: group)
        let request: (newcomer: Newcomer, peers: [String])
        do {
            request = try await ask(token, identity: identity, tls: tls, link)
        } catch {
            await link.client.shutdown()
            throw error
        }
        await link.client.shutdown()
        let newcomer = request.newcomer
        let (entry, acceptor) = try await admitted(
            newcomer, through: request.peers, tls: tls, group: group)
        let configuration = plan.configuration(name: entry.name, admin: admin)
        do {
            try newcomer.write(entry, to: plan.directory, configuration, acceptor: acceptor)
        } catch {
            await acceptor.client.shutdown()
            throw error
        }
        await acceptor.client.shutdown()
        return JoinPlan.Outcome(
            meshName: newcomer.genesis.founding.statement.name, name: entry.name,
            node: identity.publicKey)
    }

    /// Once to hear whose place it is and which mesh, once with the new key's agreement.
    private func ask(
        _ token: JoinToken, identity: IdentityKey, tls: TLSIdentity, _ link: AdminLink
    ) async throws -> (Newcomer, peers: [String]) {
        let offer = try FoundingOffer(decoding: try await link.get("/mesh/v1/founding"))
        guard offer.leafDER == link.peer.leafDER else {
            throw NodeError.join(.offerOfAnotherConnection)
        }
        let request = Joiner(token: token, identity: identity, tls: tls).sign(
            JoinRequest(
                mesh: token.mesh, tokenID: token.id, node: identity.publicKey,
                tlsKey: tls.spkiDigest, acceptor: link.peer.node,
                acceptorTLSKey: link.peer.spkiDigest, name: plan.name,
                address: plan.advertise,
                joinerNonce: randomBytes(16), acceptorNonce: offer.nonce))
        let answer = try Answer(
            try await post(.fields([1: .bytes(request), 2: .null]), link))
        let genesis: Genesis
        do { genesis = try GenesisVerifier().verify(answer.document) } catch {
            throw NodeError.genesisRefused(error)
        }
        guard genesis.digest == token.founding, genesis.mesh == token.mesh else {
            throw NodeError.join(.otherMeshThanTheToken(genesis.mesh, token: token.mesh))
        }
        let consent = KeySuccession.replacement(
            of: answer.old, by: identity, in: genesis.mesh
        ).consent
        _ = try await post(
            .fields([1: .bytes(request), 2: .bytes(consent.bytes)]), link)
        return (
            Newcomer(genesis: genesis, document: answer.document, identity: identity),
            answer.peers
        )
    }

    private func post(_ body: CBOR, _ link: AdminLink) async throws -> [UInt8] {
        try await link.post(
            "/mesh/v1/replacements", body: body.encoded, bytesMax: Limits.batchBytesMax)
    }

    private struct Answer {
        let old: NodeID
        let document: GenesisDocument
        let peers: [String]

        init(_ bytes: [UInt8]) throws {
            var fields = try CBORFields(decoding: bytes)
            _ = try fields.text(1)
            old = try fields.node(2)
            guard case .bytes(let document) = try fields.value(3),
                case .array(let peers) = try fields.value(4)
            else { throw StatementError.wrongType(field: 3) }
            self.document = try GenesisDocument(decoding: document)
            self.peers = peers.compactMap { peer in
                if case .text(let address) = peer { address } else { nil }
            }
        }
    }

    /// Members let this key in as soon as they have decided that it is one.
    private func admitted(
        _ newcomer: Newcomer, through peers: [String], tls: TLSIdentity,
        group: any EventLoopGroup
    ) async throws -> (RosterEntry, AdminLink) {
        let clock = ContinuousClock()
        let end = clock.now + Self.admittedWithin
        var last: any Error = NodeError.adminUnreachable("the members", reason: "none is known")
        while clock.now < end {
            for peer in peers {
                do {
                    let link = try await AdminLink(to: peer, identity: tls, group: group)
                    do {
                        while try await newcomer.look(link) {}
                        if let entry = newcomer.entry { return (entry, link) }
                    } catch { last = error }
                    await link.client.shutdown()
                } catch { last = error }
            }
            try await Task.sleep(for: .milliseconds(300))
        }
        throw NodeError.joinRefused(
            code: "undecided", detail: "the mesh has not decided within a minute (\(last))")
    }

    /// The roster still has the address of the machine before.
    private func moveIfElsewhere() async throws {
        let folder = NodeDirectory(plan.directory)
        let node = try folder.identityDirectory().key().publicKey
        let (_, chain) = try MembershipAct.chain(of: folder)
        guard let entry = chain.roster.member(node), entry.address != plan.advertise else { return }
        try await MembershipAct(folder).ask(.move(to: plan.advertise))
    }
}
