import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import Crypto
import Foundation
import SwiftASN1
import Synchronization
import Testing
import X509

@Suite("TLS bindings (PROTOCOL.md §4.3)")
struct TLSBindingTests {
    private let now = TestMesh.now

    @Test("a node's leaf proves its identity")
    func accepted() throws {
        let mesh = try TestMesh()
        let key = mesh.founders[0]
        let tls = try mesh.tls(key, sequence: 7)
        let peer = try PeerCertificate.verify(leafDER: tls.leafDER, mesh: mesh.mesh, now: now)
        #expect(peer.node == key.publicKey)
        #expect(peer.binding.sequence == 7)
        #expect(peer.spkiDigest == tls.spkiDigest)
        #expect(peer.bindingEnvelope == tls.bindingEnvelope)
        #expect(peer.leafDER == tls.leafDER)
        #expect(tls.leafDER.count < PeerCertificate.bytesMax / 4)
        #expect(tls.renewAt > now + 19 * 86_400 && tls.renewAt < now + 21 * 86_400)
    }

    @Test("the same identity from its PEM documents")
    func pem() throws {
        let mesh = try TestMesh()
        let tls = try mesh.tls(mesh.founders[0])
        let again = try TLSIdentity(
            leafPEM: tls.leafPEM, privateKeyPEM: tls.privateKeyPEM, mesh: mesh.mesh, now: now)
        #expect(again.leafDER == tls.leafDER)
        #expect(again.privateKeyDER == tls.privateKeyDER)
        #expect(again.node == tls.node)
        let other = try mesh.tls(mesh.founders[0])
        #expect(throws: TLSIdentityError.self) {
            try TLSIdentity(
                leafPEM: tls.leafPEM, privateKeyPEM: other.privateKeyPEM, mesh: mesh.mesh,
                now: now)
        }
    }

    @Test("a binding copied from another node's certificate is foreign")
    func foreignBinding() throws {
        let mesh = try TestMesh()
        let victim = try mesh.tls(mesh.founders[0])
        let forged = try Leaf(of: victim).der()
        #expect(throws: PeerCertificateError.foreignBinding(of: victim.node)) {
            try PeerCertificate.verify(leafDER: forged, mesh: mesh.mesh, now: now)
        }
    }

    @Test("a certificate that names another node than its binding is refused")
    func anotherNodesName() throws {
        let mesh = try TestMesh()
        let victim = mesh.founders[0].publicKey
        var leaf = try Leaf(of: mesh.tls(mesh.founders[1]), keepingKey: true)
        leaf.names = [
            .dnsName(victim.hostName),
            .uniformResourceIdentifier(NodeCertificate.uri(of: victim, in: mesh.mesh)),
        ]
        expectAnotherIdentity(try leaf.der(), mesh, bound: mesh.founders[1].publicKey)
        leaf.names = []
        expectAnotherIdentity(try leaf.der(), mesh, bound: mesh.founders[1].publicKey)
    }

    @Test("one name too many, or one too few, is refused")
    func names() throws {
        let mesh = try TestMesh()
        let key = mesh.founders[1].publicKey
        let own: [GeneralName] = [
            .dnsName(key.hostName),
            .uniformResourceIdentifier(NodeCertificate.uri(of: key, in: mesh.mesh)),
        ]
        var leaf = try Leaf(of: mesh.tls(mesh.founders[1]), keepingKey: true)
        leaf.names = own
        #expect(throws: Never.self) {
            try PeerCertificate.verify(leafDER: try leaf.der(), mesh: mesh.mesh, now: now)
        }
        for names in [
            own + [.dnsName("bank.example")], [own[0]], [own[1]], own + [own[0]],
        ] {
            leaf.names = names
            expectAnotherIdentity(try leaf.der(), mesh, bound: key)
        }
    }

    @Test("a binding that one node signed for another is refused")
    func signedForAnother() throws {
        let mesh = try TestMesh()
        let (thief, victim) = (mesh.founders[1], mesh.founders[0].publicKey)
        let key = P256.Signing.PrivateKey()
        let binding = TLSBinding(
            mesh: mesh.mesh, node: victim,
            tlsKey: AegisCrypto.SHA256.digest(of: Array(key.publicKey.derRepresentation)),
            sequence: 1, notBefore: now, notAfter: now + 1_000)
        let envelope = EnvelopeSigner(thief).sign(.tlsBinding, binding.payload)
        let leaf = Leaf(key: key, envelope: envelope.bytes, node: victim, mesh: mesh.mesh)
        #expect(
            throws: PeerCertificateError.anotherIdentity(
                named: victim.text, bound: thief.publicKey)
        ) { try PeerCertificate.verify(leafDER: try leaf.der(), mesh: mesh.mesh, now: now) }
    }

    @Test("a node of another mesh is told apart")
    func otherMesh() throws {
        let (mesh, other) = (try TestMesh(), try TestMesh())
        let tls = try other.tls(mesh.founders[0])
        #expect(throws: PeerCertificateError.otherMesh(other.mesh, expected: mesh.mesh)) {
            try PeerCertificate.verify(leafDER: tls.leafDER, mesh: mesh.mesh, now: now)
        }
    }

    @Test("validity is judged with ten minutes of patience at both ends")
    func validity() throws {
        let mesh = try TestMesh()
        let tls = try mesh.tls(mesh.founders[0])
        let (first, last) = (tls.binding.notBefore, tls.binding.notAfter)
        #expect(first == now - 86_400)
        #expect(last == now + 30 * 86_400)
        for time in [first - 600, first, last, last + 600] {
            #expect(throws: Never.self) {
                try PeerCertificate.verify(leafDER: tls.leafDER, mesh: mesh.mesh, now: time)
            }
        }
        #expect(throws: PeerCertificateError.notYetValid(tls.node, from: first)) {
            try PeerCertificate.verify(
                leafDER: tls.leafDER, mesh: mesh.mesh, now: first - 601)
        }
        #expect(throws: PeerCertificateError.expired(tls.node, at: last)) {
            try PeerCertificate.verify(leafDER: tls.leafDER, mesh: mesh.mesh, now: last + 601)
        }
        for extreme in [UInt64.min, .max] {
            #expect(throws: PeerCertificateError.self) {
                try PeerCertificate.verify(
                    leafDER: tls.leafDER, mesh: mesh.mesh, now: extreme)
            }
        }
    }

    @Test("no binding, a forged one, another statement in its place: each its own error")
    func bindings() throws {
        let mesh = try TestMesh()
        let tls = try mesh.tls(mesh.founders[0])
        var leaf = try Leaf(of: tls, keepingKey: true)
        leaf.envelope = nil
        expect(.missingBinding, try leaf.der(), mesh)
        var forged = tls.bindingEnvelope.bytes
        forged[forged.count - 40] ^= 1
        leaf.envelope = forged
        expect(.badBindingSignature(tls.node), try leaf.der(), mesh)
        let signer = EnvelopeSigner(mesh.founders[0])
        leaf.envelope = signer.sign(.vote1, tls.binding.payload).bytes
        expect(
            .malformedBinding(.unexpectedType(.vote1, expected: .tlsBinding)), try leaf.der(),
            mesh)
        leaf.envelope = signer.sign(.tlsBinding, [0xa0]).bytes
        expect(.malformedBindingStatement(.missing(field: 1)), try leaf.der(), mesh)
        leaf.envelope = [0xd2]
        expect(.malformedBinding(.malformed(.truncated(at: 0))), try leaf.der(), mesh)
    }

    @Test("a key that isn't P-256 is refused")
    func otherKey() throws {
        let mesh = try TestMesh()
        let name = try DistinguishedName { CommonName("x") }
        let key = P384.Signing.PrivateKey()
        let leaf = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey),
            notValidBefore: Date(), notValidAfter: Date() + 60, issuer: name, subject: name,
            extensions: Certificate.Extensions {}, issuerPrivateKey: .init(key))
        var serializer = DER.Serializer()
        try serializer.serialize(leaf)
        expect(.unsupportedKey, serializer.serializedBytes, mesh)
    }

    @Test("an altered certificate is refused, cut off or changed at any byte, and nothing traps")
    func hostileDER() throws {
        let mesh = try TestMesh()
        let leaf = try mesh.tls(mesh.founders[0]).leafDER
        for index in leaf.indices {
            expectRefusal(Array(leaf[..<index]), mesh)
            var changed = leaf
            changed[index] ^= 0x20
            expectRefusal(changed, mesh)
        }
        expectRefusal(leaf + [0], mesh)
        expectRefusal([UInt8](repeating: 0x30, count: PeerCertificate.bytesMax + 1), mesh)
        let random = noise(2)
        for _ in 0..<3_000 {
            var changed = leaf
            for _ in 0...Int(random.next() % 4) {
                changed[Int(random.next() % UInt64(leaf.count))] = UInt8(random.next() & 0xff)
            }
            if changed != leaf { expectRefusal(changed, mesh) }
            expectRefusal([0x30] + random.bytes(Int(random.next() % 100)), mesh)
        }
    }

    @Test("OpenSSL takes the leaf as its own trust root, and shows its names")
    func openSSL() throws {
        let mesh = try TestMesh()
        let real = UInt64(Date().timeIntervalSince1970)
        let tls = try mesh.tls(mesh.founders[0], now: real)
        let folder = try TemporaryFolder()
        let leaf = try folder.write("leaf.pem", tls.leafPEM)
        let other = try folder.write(
            "other.pem", mesh.tls(mesh.founders[0], now: real).leafPEM)
        let key = try folder.write("key.pem", tls.privateKeyPEM)
        for purpose in ["sslserver", "sslclient"] {
            let verified = try OpenSSL(
                "verify", "-purpose", purpose, "-CAfile", leaf, "-verify_hostname",
                tls.node.hostName, leaf)
            #expect(verified.status == 0, "\(verified.output)")
        }
        #expect(try OpenSSL("verify", "-CAfile", other, leaf).status != 0)
        let text = try OpenSSL("x509", "-in", leaf, "-noout", "-text").output
        #expect(text.contains("DNS:\(tls.node.hostName)"))
        #expect(text.contains("URI:aegis://\(mesh.mesh)/node/\(tls.node)"))
        #expect(text.contains("TLS Web Server Authentication, TLS Web Client Authentication"))
        #expect(text.contains(NodeCertificate.bindingOID))
        #expect(try OpenSSL("pkey", "-in", key, "-noout", "-check").status == 0)
    }

    private func expect(_ error: PeerCertificateError, _ der: [UInt8], _ mesh: TestMesh) {
        #expect(throws: error) {
            try PeerCertificate.verify(leafDER: der, mesh: mesh.mesh, now: now)
        }
    }

    private func expectRefusal(_ der: [UInt8], _ mesh: TestMesh) {
        #expect(throws: PeerCertificateError.self) {
            try PeerCertificate.verify(leafDER: der, mesh: mesh.mesh, now: now)
        }
    }

    private func expectAnotherIdentity(_ der: [UInt8], _ mesh: TestMesh, bound: NodeID) {
        do {
            _ = try PeerCertificate.verify(leafDER: der, mesh: mesh.mesh, now: now)
            Issue.record("accepted")
        } catch {
            guard case .anotherIdentity(_, bound) = error else {
                Issue.record("\(error)")
                return
            }
        }
    }
}

/// A leaf put together by hand, as somebody who wants to deceive would.
private struct Leaf {
    let key: P256.Signing.PrivateKey
    var envelope: [UInt8]?
    var names: [GeneralName]

    init(key: P256.Signing.PrivateKey, envelope: [UInt8]?, node: NodeID, mesh: MeshID) {
        self.key = key
        self.envelope = envelope
        names = [
            .dnsName(node.hostName),
            .uniformResourceIdentifier(NodeCertificate.uri(of: node, in: mesh)),
        ]
    }

    /// With all that `tls` shows, and its key or another.
    init(of tls: TLSIdentity, keepingKey: Bool = false) throws {
        self.init(
            key: keepingKey
                ? try P256.Signing.PrivateKey(derRepresentation: tls.privateKeyDER)
                : P256.Signing.PrivateKey(),
            envelope: tls.bindingEnvelope.bytes, node: tls.node, mesh: tls.mesh)
    }

    func der() throws -> [UInt8] {
        var serializer = DER.Serializer()
        if let envelope { try serializer.serialize(ASN1OctetString(contentBytes: envelope[...])) }
        let carried = serializer.serializedBytes
        let name = try DistinguishedName { CommonName("x") }
        var extensions = try Certificate.Extensions {
            try ExtendedKeyUsage([.serverAuth, .clientAuth])
            SubjectAlternativeNames(names)
        }
        if envelope != nil {
            try extensions.append(
                Certificate.Extension(
                    oid: try ASN1ObjectIdentifier(
                        dotRepresentation: NodeCertificate.bindingOID[...]),
                    critical: false, value: carried[...]))
        }
        let start = Date(timeIntervalSince1970: Double(TestMesh.now))
        let certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey),
            notValidBefore: start, notValidAfter: start + 3_600, issuer: name, subject: name,
            extensions: extensions, issuerPrivateKey: .init(key))
        var output = DER.Serializer()
        try output.serialize(certificate)
        return output.serializedBytes
    }
}

@Suite("Who may connect")
struct PeerRegistryTests {
    @Test("the roster, the observers and the joiners have their roles; a stranger has none")
    func roles() throws {
        let mesh = try TestMesh()
        let joiner = IdentityKey.generate()
        let stranger = IdentityKey.generate()
        let registry = PeerRegistry(
            roster: try mesh.roster(), observers: [mesh.admin.publicKey],
            joiners: [joiner.publicKey])
        #expect(try registry.admit(peer(mesh, mesh.founders[0])) == .participant)
        #expect(try registry.admit(peer(mesh, mesh.admin)) == .observer)
        #expect(try registry.admit(peer(mesh, joiner)) == .joiner)
        #expect(throws: PeerRefusal.notInRoster(stranger.publicKey)) {
            try registry.admit(peer(mesh, stranger))
        }
    }

    @Test("what one has seen the other knows, and what was kept is known after a restart")
    func memory() throws {
        let mesh = try TestMesh()
        let key = mesh.founders[0]
        let learned = Mutex<[NodeID: KnownBinding]>([:])
        let memory = BindingMemory { node, binding in
            learned.withLock { $0[node] = binding }
        }
        let registry = PeerRegistry(roster: try mesh.roster(), bindings: memory)
        let old = try peer(mesh, key, sequence: 4)
        let new = try peer(mesh, key, sequence: 5)
        try memory.admit(old.binding)
        try memory.admit(new.binding)
        #expect(throws: PeerRefusal.staleBinding(key.publicKey, sequence: 4, seen: 5)) {
            try registry.admit(old)
        }
        let kept = try learned.withLock { $0 }.mapValues {
            try KnownBinding(decoding: $0.encoded)
        }
        #expect(kept == [key.publicKey: KnownBinding(sequence: 5, tlsKey: new.spkiDigest)])
        let restarted = PeerRegistry(
            roster: try mesh.roster(), bindings: BindingMemory(kept))
        #expect(throws: PeerRefusal.staleBinding(key.publicKey, sequence: 4, seen: 5)) {
            try restarted.admit(old)
        }
        _ = try restarted.admit(new)
        #expect(throws: StatementError.self) { try KnownBinding(decoding: [0xa0]) }
    }

    @Test("a leaf is due at two thirds of the time from its issue, whatever it is backdated")
    func renewal() throws {
        let mesh = try TestMesh()
        for validity: UInt64 in [9, 3_600, 30 * 86_400] {
            let leaf = try TLSIdentity.issue(
                for: mesh.founders[0], mesh: mesh.mesh, sequence: 1, now: TestMesh.now,
                validitySeconds: validity)
            #expect(leaf.renewAt == TestMesh.now + validity / 3 * 2)
        }
    }

    @Test("a binding that was replaced is stale, and one number has one key")
    func sequence() throws {
        let mesh = try TestMesh()
        let key = mesh.founders[0]
        let registry = PeerRegistry(roster: try mesh.roster())
        let old = try peer(mesh, key, sequence: 4)
        let new = try peer(mesh, key, sequence: 5)
        let twin = try peer(mesh, key, sequence: 5)
        _ = try registry.admit(old)
        _ = try registry.admit(new)
        _ = try registry.admit(new)
        #expect(throws: PeerRefusal.staleBinding(key.publicKey, sequence: 4, seen: 5)) {
            try registry.admit(old)
        }
        #expect(throws: PeerRefusal.conflictingBinding(key.publicKey, sequence: 5)) {
            try registry.admit(twin)
        }
    }

    @Test("with a new roster the evicted are named and refused")
    func eviction() throws {
        let mesh = try TestMesh()
        let evicted = mesh.founders[2]
        var registry = PeerRegistry(roster: try mesh.roster())
        _ = try registry.admit(peer(mesh, evicted))
        let next = try Roster(
            epoch: 1,
            entries: mesh.roster().entries.filter { $0.node != evicted.publicKey },
            strictThree: false)
        #expect(registry.replace(roster: next, observers: []) == [evicted.publicKey])
        #expect(throws: PeerRefusal.notInRoster(evicted.publicKey)) {
            try registry.admit(peer(mesh, evicted))
        }
    }

    private func peer(
        _ mesh: TestMesh, _ key: IdentityKey, sequence: UInt64 = 1
    ) throws -> VerifiedPeer {
        try PeerCertificate.verify(
            leafDER: mesh.tls(key, sequence: sequence).leafDER, mesh: mesh.mesh,
            now: TestMesh.now)
    }
}
