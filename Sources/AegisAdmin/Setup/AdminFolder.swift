import AegisAPI
package import AegisCore
package import AegisCrypto
package import AegisIdentity
package import AegisProtocol
import FoundationEssentials

/// Where the admin listens and what it calls itself; `admin.json`.
package struct AdminSettings: Codable, Hashable, Sendable {
    /// host:port of the REST API.
    package var api: String
    /// host:port of the mesh listener.
    package var listen: String
    package var rates: RateSettings?
    /// How old an audit record may be before the mesh is asked to sign it.
    package var witnessSeconds: UInt64?

    package init(api: String, listen: String, rates: RateSettings? = nil) {
        self.api = api
        self.listen = listen
        self.rates = rates
    }
}

package enum SetupError: Error, Hashable, Sendable {
    case invalidName(String)
    case invalidAddress(option: String, String)
    case invalidViewTimeout(UInt64)
    case alreadyExists(path: String)
    case foundingOfAnotherKey(NodeID)
    case unreadable(file: String)
    /// What was to be taken over is no genesis.
    case genesis(String)
    case invalidKey(String)
}

/// A founded admin's folder: who it is, its founding, the authority of its API, its database.
package struct AdminFolder: Sendable {
    package let directory: IdentityDirectory
    package let identity: IdentityKey
    package let founding: SignedFounding
    package let authority: CertificateAuthority
    package let settings: AdminSettings

    package var mesh: MeshID { founding.statement.mesh }
    package var databasePath: String { directory.path + "/admin.sqlite" }
    package var blobsPath: String { directory.path + "/blobs" }
    package var auditPath: String { directory.path + "/audit" }

    /// The certificate of the administrator that `init` made, where it is still here.
    var firstUser: String? {
        (try? directory.read("credentials/admin.pem"))
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// The new key's word that it takes the place of a mesh's admin, where it has to.
    private static let consentName = "consent.cose"
    private static let genesisName = "genesis.cbor"
    private static let settingsName = "admin.json"
    private static let authorityName = "ca/ca.pem"
    private static let authorityKeyName = "ca/ca-key.pem"

    /// What `init` was asked for.
    package struct Plan: Sendable {
        package var name: String
        package var settings: AdminSettings
        package var policy: MeshPolicy
        package var passphrase: [UInt8]?

        package init(
            name: String, settings: AdminSettings, policy: MeshPolicy, passphrase: [UInt8]? = nil
        ) {
            self.name = name
            self.settings = settings
            self.policy = policy
            self.passphrase = passphrase
        }
    }

    /// Makes a mesh: its id, its admin, its founding, the authority and the first administrator.
    /// The folder is there whole or not at all. Returns the passphrase of `admin.p12`, which is
    /// kept nowhere. `now` in milliseconds since 1970.
    package static func create(at path: String, _ plan: Plan, now: UInt64) throws -> String {
        guard Names.isValid(plan.name) else { throw SetupError.invalidName(plan.name) }
        guard (50...600_000).contains(plan.policy.viewTimeoutMilliseconds) else {
            throw SetupError.invalidViewTimeout(plan.policy.viewTimeoutMilliseconds)
        }
        guard let mesh = MeshID(randomBytes(16)) else {
            preconditionFailure("a mesh id has 16 bytes")
        }
        let identity = IdentityKey.generate()
        let founding = SignedFounding.sign(
            FoundingStatement(
                mesh: mesh, name: plan.name, admin: identity.publicKey, policy: plan.policy,
                foundedAt: now),
            by: identity)
        return try write(plan, to: path, identity: identity, founding: founding, now: now)
    }

    /// Makes the folder of the admin that is to take the place of `old` in a mesh that is there:
    /// another key, another authority, another first administrator. Nothing of it counts until a
    /// quorum of the participants has approved. Returns the key and the passphrase of `admin.p12`.
    package static func adopt(
        at path: String, genesis bytes: [UInt8], replacing old: NodeID?, _ settings: AdminSettings,
        passphrase: [UInt8]?, now: UInt64
    ) throws -> (admin: NodeID, passphrase: String) {
        let genesis: Genesis
        do {
            genesis = try GenesisVerifier().verify(try GenesisDocument(decoding: bytes))
        } catch { throw SetupError.genesis("\(error)") }
        let identity = IdentityKey.generate()
        let consent = KeyConsent(
            mesh: genesis.mesh, old: old ?? genesis.admin, new: identity.publicKey
        ).signed(by: identity).consent
        let founding = genesis.founding
        let made = try write(
            Plan(
                name: founding.statement.name, settings: settings,
                policy: founding.statement.policy, passphrase: passphrase),
            to: path, identity: identity, founding: founding,
            files: [
                DirectoryFile(genesisName, bytes),
                DirectoryFile(consentName, consent.bytes),
            ], now: now)
        return (identity.publicKey, made)
    }

    private static func write(
        _ plan: Plan, to path: String, identity: IdentityKey, founding: SignedFounding,
        files: [DirectoryFile] = [], now: UInt64
    ) throws -> String {
        for (option, address) in [
            ("--api", plan.settings.api), ("--listen", plan.settings.listen),
        ] where MeshAddress(dialled: address) == nil {
            throw SetupError.invalidAddress(option: option, address)
        }
        let passphrase = PKCS12.makePassphrase()
        let credentials = try credentials(
            plan, mesh: founding.statement.mesh, now: now / 1_000, passphrase: passphrase)
        do {
            _ = try IdentityDirectory.create(
                at: path, key: identity, passphrase: plan.passphrase,
                files: [
                    DirectoryFile(IdentityDirectory.foundingName, founding.bytes),
                    DirectoryFile(
                        settingsName, Array(try AegisAPI.encode(plan.settings, pretty: true))),
                ] + files + credentials)
        } catch IdentityDirectoryError.alreadyExists {
            throw SetupError.alreadyExists(path: path)
        }
        return passphrase
    }

    private static func credentials(
        _ plan: Plan, mesh: MeshID, now: UInt64, passphrase: String
    ) throws -> [DirectoryFile] {
        let authority = try CertificateAuthority.create(
            mesh: mesh, meshName: plan.name, now: now)
        let administrator = try authority.issueUser(
            AdminUser(name: "admin", role: .admin), now: now)
        let bundle = try PKCS12.encode(
            administrator, authorityDER: authority.certificateDER,
            friendlyName: "Aegis \(plan.name) admin", passphrase: passphrase)
        let context: JSONValue = .object([
            "url": .text("https://" + plan.settings.api), "ca": "ca.pem",
            "certificate": "admin.pem", "key": "admin-key.pem",
        ])
        return [
            DirectoryFile(authorityName, Array(authority.certificatePEM.utf8)),
            DirectoryFile(authorityKeyName, Array(authority.privateKeyPEM.utf8)),
            DirectoryFile("credentials/ca.pem", Array(authority.certificatePEM.utf8)),
            DirectoryFile("credentials/admin.pem", Array(administrator.pem.utf8)),
            DirectoryFile("credentials/admin-key.pem", Array(administrator.privateKeyPEM.utf8)),
            DirectoryFile("credentials/admin.p12", bundle),
            DirectoryFile("credentials/context.json", Array(try AegisAPI.encodeDocument(context))),
        ]
    }

    package init(opening path: String, passphrase: [UInt8]?) throws {
        let directory = try IdentityDirectory.open(at: path)
        let identity = try directory.key(passphrase: passphrase)
        let founding = try SignedFounding(
            verifying: try directory.read(IdentityDirectory.foundingName))
        guard
            try founding.statement.admin == identity.publicKey
                || Self.isConsent(in: directory, of: identity.publicKey)
        else { throw SetupError.foundingOfAnotherKey(founding.statement.admin) }
        self.directory = directory
        self.identity = identity
        self.founding = founding
        authority = try CertificateAuthority(
            certificatePEM: String(
                decoding: try directory.read(Self.authorityName), as: UTF8.self),
            privateKeyPEM: String(
                decoding: try directory.read(Self.authorityKeyName), as: UTF8.self),
            mesh: founding.statement.mesh)
        settings = try Self.readSettings(directory)
    }

    private static func isConsent(
        in directory: IdentityDirectory, of node: NodeID
    ) throws -> Bool {
        guard directory.has(consentName),
            let envelope = try? SignedEnvelope(parsing: try directory.read(consentName))
        else { return false }
        return KeyConsent(verifying: envelope)?.new == node
    }

    /// With the genesis of the mesh, where that was there before this admin.
    func openDatabase() throws -> AdminDatabase {
        let database = try AdminDatabase(path: databasePath)
        if directory.has(Self.genesisName) {
            try database.adopt(try directory.read(Self.genesisName))
        }
        return database
    }

    /// As the file says now.
    package func readSettings() throws -> AdminSettings { try Self.readSettings(directory) }

    private static func readSettings(_ directory: IdentityDirectory) throws -> AdminSettings {
        do {
            return try AegisAPI.decode(
                AdminSettings.self, from: try directory.read(settingsName))
        } catch is DecodingError {
            throw SetupError.unreadable(file: settingsName)
        }
    }
}
