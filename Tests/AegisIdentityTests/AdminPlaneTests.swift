import AegisCore
import AegisCrypto
import AegisIdentity
import Foundation
import Testing

@Suite("The admin plane's certificates")
struct AdminPlaneTests {
    private let mesh: MeshID
    private let authority: CertificateAuthority
    private let folder: TemporaryFolder
    private let now = UInt64(Date().timeIntervalSince1970)
    private let admin = AdminUser(name: "alice", role: .admin)

    init() throws {
        mesh = try #require(MeshID(randomBytes(16)))
        authority = try CertificateAuthority.create(
            mesh: mesh, meshName: "readmission study", now: now)
        folder = try TemporaryFolder()
    }

    @Test("OpenSSL accepts the server's chain, for its names and addresses only")
    func server() throws {
        let server = try authority.issueServer(
            hosts: ["localhost", "admin.example.org", "127.0.0.1", "::1"], now: now)
        let ca = try folder.write("ca.pem", authority.certificatePEM)
        let leaf = try folder.write("server.pem", server.pem)
        for name in ["localhost", "admin.example.org"] {
            let verified = try OpenSSL(
                "verify", "-x509_strict", "-CAfile", ca, "-purpose", "sslserver",
                "-verify_hostname", name, leaf)
            #expect(verified.status == 0, "\(verified.output)")
        }
        for address in ["127.0.0.1", "::1"] {
            let verified = try OpenSSL("verify", "-CAfile", ca, "-verify_ip", address, leaf)
            #expect(verified.status == 0, "\(verified.output)")
        }
        let stranger = try OpenSSL(
            "verify", "-CAfile", ca, "-verify_hostname", "bank.example", leaf)
        #expect(stranger.status != 0)
        #expect(try OpenSSL("verify", "-CAfile", ca, "-purpose", "sslclient", leaf).status != 0)
        let other = try CertificateAuthority.create(mesh: mesh, meshName: "x", now: now)
        let otherCA = try folder.write("other.pem", other.certificatePEM)
        #expect(try OpenSSL("verify", "-CAfile", otherCA, leaf).status != 0)
        let text = try OpenSSL("x509", "-in", leaf, "-noout", "-text").output
        #expect(text.contains("DNS:localhost, DNS:admin.example.org, IP Address:127.0.0.1"))
    }

    @Test("OpenSSL accepts a user's chain, and the URIs name the user and the role")
    func user() throws {
        let issued = try authority.issueUser(admin, now: now)
        let ca = try folder.write("ca.pem", authority.certificatePEM)
        let leaf = try folder.write("alice.pem", issued.pem)
        let key = try folder.write("alice-key.pem", issued.privateKeyPEM)
        let verified = try OpenSSL(
            "verify", "-x509_strict", "-CAfile", ca, "-purpose", "sslclient", leaf)
        #expect(verified.status == 0, "\(verified.output)")
        #expect(try OpenSSL("verify", "-CAfile", ca, "-purpose", "sslserver", leaf).status != 0)
        let text = try OpenSSL("x509", "-in", leaf, "-noout", "-text").output
        #expect(text.contains("CN = alice"))
        #expect(
            text.contains("URI:aegis://\(mesh)/user/alice, URI:aegis://\(mesh)/role/admin"))
        let published = try OpenSSL("pkey", "-in", key, "-pubout").output
        #expect(published == (try OpenSSL("x509", "-in", leaf, "-noout", "-pubkey").output))
        let serial = try OpenSSL("x509", "-in", leaf, "-noout", "-serial").output
        #expect(serial.lowercased().contains(issued.serial.drop { $0 == "0" }))
    }

    @Test("a principal is read from its certificate", arguments: AdminRole.allCases)
    func principal(role: AdminRole) throws {
        let user = AdminUser(name: "bob", role: role)
        let issued = try authority.issueUser(user, now: now)
        #expect(try AdminUser(leafDER: issued.der, mesh: mesh) == user)
        let other = try #require(MeshID(randomBytes(16)))
        #expect(throws: AdminUserError.otherMesh(mesh.description)) {
            try AdminUser(leafDER: issued.der, mesh: other)
        }
    }

    @Test("a server's certificate is no user's, and hostile DER is an error")
    func notAUser() throws {
        let server = try authority.issueServer(hosts: ["localhost"], now: now)
        #expect(throws: AdminUserError.notAUserCertificate) {
            try AdminUser(leafDER: server.der, mesh: mesh)
        }
        let leaf = try authority.issueUser(admin, now: now).der
        for count in leaf.indices {
            #expect(throws: AdminUserError.malformedCertificate) {
                try AdminUser(leafDER: Array(leaf[..<count]), mesh: mesh)
            }
        }
        let random = noise(5)
        for _ in 0..<3_000 {
            var changed = leaf
            for _ in 0..<3 {
                changed[Int(random.next() % UInt64(leaf.count))] = UInt8(random.next() & 0xff)
            }
            // Only that it returns: whether the signature holds is the handshake's to say.
            _ = try? AdminUser(leafDER: changed, mesh: mesh)
        }
    }

    @Test("hosts and names that would not fit a certificate are refused")
    func names() {
        for host in ["", "a b", "http://x", "[::1", "a:b", "host:80"] {
            #expect(throws: CertificateAuthorityError.invalidHost(host)) {
                try authority.issueServer(hosts: [host], now: now)
            }
        }
        #expect(throws: CertificateAuthorityError.invalidHost("")) {
            try authority.issueServer(hosts: [], now: now)
        }
        #expect(throws: CertificateAuthorityError.invalidName("a/b")) {
            try authority.issueUser(AdminUser(name: "a/b", role: .viewer), now: now)
        }
    }

    @Test("the authority is itself again after a restart, and only with its own key")
    func reload() throws {
        let again = try CertificateAuthority(
            certificatePEM: authority.certificatePEM, privateKeyPEM: authority.privateKeyPEM,
            mesh: mesh)
        let ca = try folder.write("ca.pem", authority.certificatePEM)
        let leaf = try folder.write("bob.pem", again.issueUser(admin, now: now).pem)
        #expect(try OpenSSL("verify", "-CAfile", ca, leaf).status == 0)
        let other = try CertificateAuthority.create(mesh: mesh, meshName: "x", now: now)
        #expect(throws: CertificateAuthorityError.self) {
            try CertificateAuthority(
                certificatePEM: authority.certificatePEM, privateKeyPEM: other.privateKeyPEM,
                mesh: mesh)
        }
        #expect(throws: CertificateAuthorityError.self) {
            try CertificateAuthority(certificatePEM: "no", privateKeyPEM: "no", mesh: mesh)
        }
    }

    @Test("serials are random")
    func serials() throws {
        let serials = try (0..<20).map { _ in try authority.issueUser(admin, now: now).serial }
        #expect(Set(serials).count == 20)
    }

    @Test("OpenSSL opens the PKCS#12 file and finds strong protection in it")
    func bundle() throws {
        let issued = try authority.issueUser(admin, now: now)
        let passphrase = PKCS12.makePassphrase()
        let bytes = try PKCS12.encode(
            issued, authorityDER: authority.certificateDER, friendlyName: "alice at study",
            passphrase: passphrase)
        let file = try folder.write("alice.p12", bytes)
        let opened = try OpenSSL(
            "pkcs12", "-in", file, "-info", "-nodes", "-passin", "pass:" + passphrase)
        #expect(opened.status == 0, "\(opened.output)")
        #expect(opened.output.contains("MAC: sha256, Iteration 600000"))
        let encryption = "PBES2, PBKDF2, AES-256-CBC, Iteration 600000, PRF hmacWithSHA256"
        #expect(opened.output.components(separatedBy: encryption).count == 3)
        #expect(opened.output.contains("friendlyName: alice at study"))
        #expect(opened.output.components(separatedBy: "BEGIN CERTIFICATE").count == 3)
        #expect(opened.output.contains("BEGIN PRIVATE KEY"))
        let wrong = try OpenSSL("pkcs12", "-in", file, "-info", "-noout", "-passin", "pass:no")
        #expect(wrong.status != 0)
    }

    @Test("a passphrase of nothing, or with an end in its middle, is refused")
    func passphrases() throws {
        let issued = try authority.issueUser(admin, now: now)
        for passphrase in ["", "a\0b"] {
            #expect(throws: PKCS12Error.invalidPassphrase) {
                try PKCS12.encode(
                    issued, authorityDER: authority.certificateDER, friendlyName: "x",
                    passphrase: passphrase)
            }
        }
        #expect(throws: PKCS12Error.unreadableCertificate) {
            try PKCS12.encode(
                issued, authorityDER: [1, 2, 3], friendlyName: "x", passphrase: "x")
        }
        let made = (0..<50).map { _ in PKCS12.makePassphrase() }
        #expect(Set(made).count == 50)
        #expect(made.allSatisfy { $0.count == 23 && $0.split(separator: "-").count == 4 })
    }
}
