import AegisAPI
package import AegisCore
import AegisCrypto
package import AegisIdentity
import AegisProtocol
import AegisTelemetry

/// Where a mesh comes to be: tokens are made, nodes join with them, the roster is frozen, the
/// founders sign it. Every step is on disk before it is answered.
package struct FoundingDesk: Sendable {
    package let database: AdminDatabase
    package let founding: SignedFounding
    /// Who answers here: the founding's admin, or the one that took its place.
    let admin: NodeID
    let tls: TLSIdentity
    let nonces = NonceBook()

    package init(
        database: AdminDatabase, founding: SignedFounding, admin: NodeID, tls: TLSIdentity
    ) {
        self.database = database
        self.founding = founding
        self.admin = admin
        self.tls = tls
    }

    package static let tokenSecondsMax = 86_400

    /// A token for a participant, or for several that name themselves. `now` in milliseconds since
    /// 1970, here and below.
    package func createToken(
        name: String, seconds: Int, limits: TokenLimits = TokenLimits(), purpose: String = "",
        by actor: String, now: UInt64
    ) async throws -> JoinToken {
        guard limits.kind == .participant else {
            throw Problem(
                .meshOpen, detail: "before the founding, tokens are for participants only")
        }
        let token = try JoinToken.mint(
            mesh: founding.statement.mesh, founding: founding.digest,
            notAfter: now / 1_000 + UInt64(seconds))
        do {
            try await database.insertGrant(
                TokenGrant(of: token, name: name), limits: limits, purpose: purpose, at: now,
                by: actor)
        } catch let error as MembershipError { throw Self.problem(error) }
        return token
    }

    package func offer(now: UInt64) -> FoundingOffer {
        let offer = FoundingOffer(founding: founding, tls: tls)
        nonces.issue(offer.nonce, now: now / 1_000)
        return offer
    }

    /// The name under which the node takes part.
    package func join(
        _ body: [UInt8], clientTLSKey: Digest?, now: UInt64
    ) async throws -> String {
        let acceptor = Acceptor(
            mesh: founding.statement.mesh, node: admin,
            tlsKeys: [tls.spkiDigest])
        let nonces = nonces
        let node = (try? SignedEnvelope(parsing: body))?.sender
        do {
            let accepted = try await database.join(of: node, at: now) { grantOf in
                try acceptor.verify(
                    body, now: now / 1_000, clientTLSKey: clientTLSKey,
                    isNonceIssued: { nonces.isIssued($0, now: now / 1_000) }, grant: grantOf)
            }
            return accepted.name
        } catch let error as JoinError {
            throw Self.problem(error)
        } catch let error as MembershipError {
            throw Self.problem(error)
        }
    }

    /// Freezes the roster where it isn't frozen yet.
    package func found() async throws {
        let founding = founding
        do {
            _ = try await database.freezeRoster { entries in
                let roster = try Roster(
                    epoch: 1, entries: entries,
                    strictThree: founding.statement.policy.strictThree)
                return GenesisStatement(
                    mesh: founding.statement.mesh, founding: founding.digest, roster: roster
                ).payload
            }
        } catch let error as MembershipError {
            throw Self.problem(error)
        } catch is StatementError {
            throw Problem(
                .noParticipants, detail: "a mesh has 1 to \(Limits.participantsMax) participants")
        }
    }

    /// What `GET /mesh/v1/genesis` says.
    package func genesisAnswer() async throws -> [UInt8] {
        let progress = try await database.genesis()
        let state: MeshView.State =
            progress == nil ? .open : progress?.document == nil ? .signing : .founded
        return CBOR.fields([
            1: .text(state.rawValue), 2: progress.map { .bytes($0.payload) } ?? .null,
            3: progress?.document.map { .bytes($0) } ?? .null,
        ]).encoded
    }

    /// A founder's signature. The same one again changes nothing.
    package func sign(_ envelope: [UInt8]) async throws {
        guard let progress = try await database.genesis() else {
            throw Problem(.meshOpen, detail: "there is no genesis to sign yet")
        }
        let verifier = GenesisVerifier()
        let signer: NodeID
        do {
            let statement = try verifier.check(progress.payload, founding: founding)
            signer = try verifier.verifySignature(envelope, on: statement)
        } catch {
            throw Problem(.badProof, detail: "\(error)")
        }
        let founding = founding
        let roster = try verifier.check(progress.payload, founding: founding).roster
        try await database.insertGenesisSignature(envelope, by: signer) { signatures in
            guard signatures.count == roster.count else { return nil }
            let document = GenesisDocument(founding: founding.bytes, signatures: signatures)
            _ = try GenesisVerifier().verify(document)
            return document.encoded
        }
    }

    /// The verified trust root, once every founder has signed.
    package func genesis() async throws -> Genesis? {
        guard let bytes = try await database.genesis()?.document else { return nil }
        return try GenesisVerifier().verify(
            try GenesisDocument(decoding: bytes), pinned: founding.digest)
    }

    private static func problem(_ error: MembershipError) -> Problem {
        switch error {
        case .closed:
            Problem(
                .meshFounded, detail: "its roster is closed; joining a founded mesh is not offered")
        case .nameTaken(let name): Problem(.nameTaken, detail: "\(name) has joined already")
        case .noParticipants: Problem(.noParticipants)
        case .alreadyParticipant(let node):
            Problem(.nameTaken, detail: "node \(node.short) has joined with another token")
        case .rosterRefused: Problem(.noParticipants)
        }
    }

    /// The other side decides by the code, and a person reads the detail.
    static func problem(_ error: JoinError) -> Problem {
        let status =
            switch error {
            case .malformed, .envelope, .invalidName, .invalidAddress: 400
            case .tokenUsed: 409
            case .tokenExpired: 410
            default: 403
            }
        return Problem(
            type: "urn:aegis:problem:" + error.code,
            title: error.code.split(separator: "-").joined(separator: " "), status: status,
            detail: detail(error))
    }

    private static func detail(_ error: JoinError) -> String {
        switch error {
        case .tokenExpired(let seconds):
            "the token expired at \(Timestamp.text(seconds * 1_000)); ask for a new one"
        case .tokenUsed(let node): "the token was used by node \(node.short); ask for a new one"
        case .unknownToken(let id): "token \(id) was not issued by this admin"
        case .foreignMesh(let mesh): "the token is for mesh \(mesh), this is another"
        case .nameNotGranted(let name, let granted):
            "the token is for \(granted), not for \(name)"
        default: "\(error)"
        }
    }
}
