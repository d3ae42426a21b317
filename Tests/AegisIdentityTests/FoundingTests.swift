import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import Testing

@Suite("The founding statement")
struct FoundingTests {
    @Test("what the admin signed is read back, by the digest of the signed bytes")
    func roundTrip() throws {
        let mesh = try TestMesh()
        let read = try SignedFounding(
            verifying: mesh.founding.bytes, pinned: mesh.founding.digest)
        #expect(read == mesh.founding)
        #expect(read.digest == SHA256.digest(of: mesh.founding.bytes))
        #expect(read.statement.admin == mesh.admin.publicKey)
    }

    @Test("another founding than the pinned one is refused, though it is signed")
    func pin() throws {
        let (mine, other) = (try TestMesh(), try TestMesh())
        #expect(
            throws: FoundingError.notThePinnedFounding(
                pinned: mine.founding.digest, actual: other.founding.digest)
        ) {
            try SignedFounding(verifying: other.founding.bytes, pinned: mine.founding.digest)
        }
    }

    @Test("a founding that somebody else signed in the admin's name is refused")
    func otherSigner() throws {
        let mesh = try TestMesh()
        let stranger = IdentityKey.generate()
        let envelope = EnvelopeSigner(stranger).sign(
            .founding, mesh.founding.statement.payload)
        #expect(
            throws: FoundingError.signedByAnotherThanTheAdmin(
                signer: stranger.publicKey, admin: mesh.admin.publicKey)
        ) { try SignedFounding(verifying: envelope.bytes) }
    }

    @Test("a signed statement of another type, or with other contents, is refused")
    func contents() throws {
        let mesh = try TestMesh()
        let signer = EnvelopeSigner(mesh.admin)
        #expect(
            throws: FoundingError.envelope(.unexpectedType(.vote1, expected: .founding))
        ) {
            try SignedFounding(
                verifying: signer.sign(.vote1, mesh.founding.statement.payload).bytes)
        }
        #expect(throws: FoundingError.statement(.notAMap)) {
            try SignedFounding(verifying: signer.sign(.founding, [0x80]).bytes)
        }
    }
}

@Suite("Genesis")
struct GenesisTests {
    private let verifier = GenesisVerifier()

    @Test("every founder signed the same: that is the trust root")
    func accepted() throws {
        let mesh = try TestMesh()
        let statement = try mesh.genesis()
        let document = try GenesisDocument(decoding: mesh.document(statement).encoded)
        let genesis = try verifier.verify(document, pinned: mesh.founding.digest)
        #expect(genesis.roster == statement.roster)
        #expect(genesis.mesh == mesh.mesh)
        #expect(genesis.admin == mesh.admin.publicKey)
        #expect(genesis.digest == SHA256.digest(of: statement.payload))
    }

    @Test("a founder that didn't sign is named")
    func missing() throws {
        let mesh = try TestMesh()
        let absent = mesh.founders[1].publicKey
        let document = mesh.document(
            try mesh.genesis(), signedBy: [mesh.founders[0], mesh.founders[2]])
        expect(.missingSignatures([absent]), document)
        expect(.noSignatures, mesh.document(try mesh.genesis(), signedBy: []))
    }

    @Test("a signature counts once, and only a founder's")
    func signers() throws {
        let mesh = try TestMesh()
        let stranger = IdentityKey.generate()
        let statement = try mesh.genesis()
        expect(
            .signedTwice(mesh.founders[0].publicKey),
            mesh.document(statement, signedBy: [mesh.founders[0], mesh.founders[0]]))
        expect(
            .signerNotInRoster(stranger.publicKey),
            mesh.document(statement, signedBy: mesh.founders + [stranger]))
    }

    @Test("founders who signed different rosters make no mesh")
    func differentStatements() throws {
        let mesh = try TestMesh()
        let first = try mesh.genesis()
        let other = try mesh.genesis(try mesh.roster(with: [IdentityKey.generate()]))
        let document = GenesisDocument(
            founding: mesh.founding.bytes,
            signatures: mesh.document(first, signedBy: Array(mesh.founders[..<2])).signatures
                + mesh.document(other, signedBy: [mesh.founders[2]]).signatures)
        expect(.differentStatement(mesh.founders[2].publicKey), document)
    }

    @Test("the genesis must agree with the founding: mesh, digest, policy, admin")
    func agreement() throws {
        let (mesh, other) = (try TestMesh(), try TestMesh())
        let roster = try mesh.roster()
        expect(
            .otherMesh(other.mesh),
            mesh.document(
                GenesisStatement(
                    mesh: other.mesh, founding: mesh.founding.digest, roster: roster)))
        expect(
            .otherFounding(other.founding.digest),
            mesh.document(
                GenesisStatement(
                    mesh: mesh.mesh, founding: other.founding.digest, roster: roster)))
        expect(
            .policyMismatch, mesh.document(try mesh.genesis(try mesh.roster(strictThree: true))))
        expect(
            .adminIsAParticipant(mesh.admin.publicKey),
            mesh.document(try mesh.genesis(try mesh.roster(with: [mesh.admin]))))
    }

    @Test("a forged signature, or another founding beside it, is refused")
    func forged() throws {
        let (mesh, other) = (try TestMesh(), try TestMesh())
        let good = mesh.document(try mesh.genesis())
        var signatures = good.signatures
        signatures[1][signatures[1].count - 1] ^= 1
        #expect(throws: GenesisError.self) {
            try verifier.verify(
                GenesisDocument(founding: good.founding, signatures: signatures))
        }
        #expect(throws: GenesisError.self) {
            try verifier.verify(
                GenesisDocument(
                    founding: other.founding.bytes, signatures: good.signatures))
        }
        #expect(throws: GenesisError.self) {
            try verifier.verify(good, pinned: other.founding.digest)
        }
    }

    private func expect(_ error: GenesisError, _ document: GenesisDocument) {
        #expect(throws: error) { try verifier.verify(document) }
    }
}
