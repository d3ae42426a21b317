import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisTransport
import FoundationEssentials
package import Logging

/// What the program `aegis-admin` does, in two calls.
package enum AdminSetup {
    /// Returns the passphrase of `admin.p12`.
    package static func initialise(
        directory: String, mesh: String, api: String, listen: String,
        viewTimeoutMilliseconds: UInt64, strictThree: Bool, passphrase: [UInt8]?, now: UInt64
    ) throws -> String {
        try AdminFolder.create(
            at: directory,
            AdminFolder.Plan(
                name: mesh, settings: AdminSettings(api: api, listen: listen),
                policy: MeshPolicy(
                    strictThree: strictThree, viewTimeoutMilliseconds: viewTimeoutMilliseconds),
                passphrase: passphrase),
            now: now)
    }

    /// Returns the new admin's key and the passphrase of `admin.p12`.
    package static func adopt(
        directory: String, genesis: String, replaces: String?, api: String, listen: String,
        passphrase: [UInt8]?, now: UInt64
    ) throws -> (admin: String, passphrase: String) {
        guard let bytes = FileManager.default.contents(atPath: genesis) else {
            throw SetupError.genesis("\(genesis) can't be read")
        }
        let old = try replaces.map { text in
            guard let key = NodeID(text: text) else { throw SetupError.invalidKey(text) }
            return key
        }
        let made = try AdminFolder.adopt(
            at: directory, genesis: Array(bytes), replacing: old,
            AdminSettings(api: api, listen: listen), passphrase: passphrase, now: now)
        return (made.admin.text, made.passphrase)
    }

    package static func serve(
        directory: String, api: String?, listen: String?, passphrase: [UInt8]?, logger: Logger
    ) async throws {
        let folder = try AdminFolder(opening: directory, passphrase: passphrase)
        var settings = folder.settings
        if let api { settings.api = api }
        if let listen { settings.listen = listen }
        try await AdminNode(folder, settings: settings, logger: logger)
            .run(stopsOnSignals: true)
    }
}

/// Why the program ends, in its user's words.
package struct AdminFailure: Error, Sendable {
    package let code: Int32
    package let message: String
    package let hint: String?

    private init(_ code: Int32, _ message: String, _ hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    package init(_ error: any Error) {
        switch error {
        case let error as SetupError: self = Self.of(error)
        case let error as IdentityDirectoryError: self = Self.of(error)
        case let error as MeshServerError: self = Self.of(error)
        case let error as BackupError: self = Self.of(error)
        case let error as RecoveryError: self = Self.of(error)
        default: self = AdminFailure(70, "\(error)")
        }
    }

    private static func of(_ error: SetupError) -> AdminFailure {
        switch error {
        case .invalidName(let name):
            AdminFailure(
                64, "\(name) can't be the mesh's name",
                "use 1 to 64 of a-z, 0-9, -, _ and . beginning with a letter or digit")
        case .invalidAddress(let option, let address):
            AdminFailure(64, "\(option) \(address) is not host:port")
        case .invalidViewTimeout(let timeout):
            AdminFailure(64, "--view-timeout-ms \(timeout) is not from 50 to 600000")
        case .alreadyExists(let path): exists(path)
        case .foundingOfAnotherKey(let node):
            AdminFailure(65, "founding.cose is of another key, \(node.short)")
        case .unreadable(let file): AdminFailure(65, "\(file) is damaged")
        case .genesis(let reason):
            AdminFailure(
                65, "no mesh can be taken over: \(reason)",
                "give --genesis the file genesis.cbor of any of its nodes' folders")
        case .invalidKey(let key): AdminFailure(64, "--replaces \(key) is no key")
        }
    }

    private static func exists(_ path: String) -> AdminFailure {
        AdminFailure(
            73, "\(path) exists already, and is left as it is",
            "choose another --dir, or start it: aegis-admin run --dir \(path)")
    }

    private static func of(_ error: IdentityDirectoryError) -> AdminFailure {
        switch error {
        case .alreadyExists(let path): exists(path)
        case .notFound(let path):
            AdminFailure(66, "\(path) is not there", "make it: aegis-admin init --dir DIR")
        case .insecureMode(let path, _, _):
            AdminFailure(77, "\(path) is open to other users", "chmod -R go= \(path)")
        case .key(.passphraseRequired):
            AdminFailure(77, "the key is sealed", "set AEGIS_KEY_PASSPHRASE")
        case .key(.wrongPassphraseOrDamaged):
            AdminFailure(77, "the passphrase is wrong, or the key file is damaged")
        default: AdminFailure(70, "\(error)")
        }
    }

    private static func of(_ error: BackupError) -> AdminFailure {
        switch error {
        case .exists(let path):
            AdminFailure(73, "\(path) exists already", "choose another folder")
        case .notABackup(let path):
            AdminFailure(66, "\(path) is no backup, or not whole")
        case .changed(let file):
            AdminFailure(65, "\(file) is not what was backed up", "use another backup")
        case .damagedStore(let reason):
            AdminFailure(65, "the store of the backup is damaged: \(reason)", "use another backup")
        case .failed(let reason): AdminFailure(70, reason)
        }
    }

    private static func of(_ error: RecoveryError) -> AdminFailure {
        switch error {
        case .exists(let path):
            AdminFailure(73, "\(path) exists already", "choose another folder")
        case .unknownRole(let role):
            AdminFailure(64, "\(role) is no role", "use admin, operator, auditor or viewer")
        case .refused(let reason): AdminFailure(65, reason)
        }
    }

    private static func of(_ error: MeshServerError) -> AdminFailure {
        switch error {
        case .notListening(let address, let reason):
            AdminFailure(
                69, "can't listen on \(address): \(reason)",
                "free the port, or give another with --api or --listen")
        case .identityUnusable(let reason): AdminFailure(70, reason)
        }
    }
}
