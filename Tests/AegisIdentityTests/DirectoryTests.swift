import AegisCore
import AegisCrypto
import AegisIdentity
import Foundation
import Testing

@Suite("Identity directories")
struct IdentityDirectoryTests {
    private let folder: TemporaryFolder
    private let key = IdentityKey.generate()
    private var path: String { folder.path + "/node" }

    init() throws { folder = try TemporaryFolder() }

    @Test("what was created is read back, and only its owner can look")
    func roundTrip() throws {
        let directory = try create(files: [
            DirectoryFile("founding.cose", [1, 2]), DirectoryFile("ca/ca.pem", [3]),
        ])
        let opened = try IdentityDirectory.open(at: path + "/")
        #expect(opened == directory)
        #expect(try opened.key().publicKey == key.publicKey)
        #expect(try opened.describeKey() == (key.publicKey, false))
        #expect(try opened.read("founding.cose") == [1, 2])
        #expect(try opened.read("ca/ca.pem") == [3])
        #expect(opened.has("founding.cose"))
        #expect(!opened.has("genesis.cbor"))
        #expect(try mode(path) == 0o700)
        #expect(try mode(path + "/ca") == 0o700)
        for file in ["identity.key", "founding.cose", "ca/ca.pem"] {
            #expect(try mode(path + "/" + file) == 0o600)
        }
    }

    @Test("a sealed key needs its passphrase")
    func sealed() throws {
        let directory = try create(passphrase: Array("secret".utf8))
        #expect(try directory.describeKey() == (key.publicKey, true))
        #expect(throws: IdentityDirectoryError.key(.passphraseRequired(key.publicKey))) {
            try directory.key()
        }
        #expect(
            try directory.key(passphrase: Array("secret".utf8)).publicKey == key.publicKey)
    }

    @Test("an identity is never overwritten; an empty folder in its place is taken")
    func existing() throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false)
        let directory = try create()
        #expect(try mode(path) == 0o700)
        #expect(throws: IdentityDirectoryError.alreadyExists(path: path)) {
            try IdentityDirectory.create(at: path, key: .generate(), passphrase: nil, files: [])
        }
        #expect(try directory.key().publicKey == key.publicKey)
        #expect(try left() == ["node"])
    }

    @Test("a failure leaves nothing behind")
    func nothingHalfMade() throws {
        for name in ["../escape", "/absolute", "a/b/c", "", "a//b", "ca/../../x", ".hidden"] {
            #expect(throws: IdentityDirectoryError.invalidFileName(name)) {
                try create(files: [
                    DirectoryFile("ca/ca.pem", [1]), DirectoryFile(name, [2]),
                ])
            }
        }
        // A file and a folder of one name: the second can't be made.
        #expect(throws: IdentityDirectoryError.self) {
            try create(files: [DirectoryFile("ca", [1]), DirectoryFile("ca/ca.pem", [1])])
        }
        #expect(try left() == [])
        #expect(throws: IdentityDirectoryError.self) {
            try IdentityDirectory.create(
                at: folder.path + "/no/such", key: key, passphrase: nil, files: [])
        }
    }

    @Test("what a killed creation left is gone after the next one")
    func leftovers() throws {
        let partial = folder.path + "/.node.partial-0badc0de"
        try FileManager.default.createDirectory(
            atPath: partial + "/ca", withIntermediateDirectories: true)
        _ = try folder.write(".node.partial-0badc0de/identity.key", [1])
        _ = try folder.write(".node.partial-0badc0de/ca/ca.pem", [1])
        _ = try folder.write(".node2.partial-1", [1])
        // Links are removed, never followed.
        let bystander = try TemporaryFolder()
        let kept = try bystander.write("kept", [1])
        for link in [folder.path + "/.node.partial-1", partial + "/link"] {
            try FileManager.default.createSymbolicLink(
                atPath: link, withDestinationPath: bystander.path)
        }
        _ = try create()
        #expect(try left().sorted() == [".node2.partial-1", "node"])
        #expect(FileManager.default.fileExists(atPath: kept))
    }

    @Test("a folder or key that others can read is refused, and the error says which")
    func modes() throws {
        let directory = try create()
        let keyPath = path + "/identity.key"
        try setMode(keyPath, 0o640)
        #expect(
            throws: IdentityDirectoryError.insecureMode(
                path: keyPath, mode: 0o640, allowed: 0o700)
        ) { try directory.key() }
        try setMode(keyPath, 0o400)
        #expect(throws: Never.self) { try directory.key() }
        try setMode(path, 0o755)
        #expect(
            throws: IdentityDirectoryError.insecureMode(path: path, mode: 0o755, allowed: 0o700)
        ) { try IdentityDirectory.open(at: path) }
        try setMode(path, 0o700)
    }

    @Test("what is missing, not a folder, a link or too large is told apart")
    func missing() throws {
        #expect(throws: IdentityDirectoryError.notFound(path: path)) {
            try IdentityDirectory.open(at: path)
        }
        let file = try folder.write("file", [1])
        #expect(throws: IdentityDirectoryError.notADirectory(path: file)) {
            try IdentityDirectory.open(at: file)
        }
        let directory = try create(files: [DirectoryFile("big", [1, 2, 3])])
        #expect(throws: IdentityDirectoryError.notFound(path: path + "/genesis.cbor")) {
            try directory.read("genesis.cbor")
        }
        #expect(throws: IdentityDirectoryError.tooLarge(path: path + "/big", bytes: 3)) {
            try directory.read("big", bytesMax: 2)
        }
        try FileManager.default.createSymbolicLink(
            atPath: path + "/link", withDestinationPath: file)
        #expect(throws: IdentityDirectoryError.self) { try directory.read("link") }
    }

    @Test("a file is replaced in one step")
    func write() throws {
        let directory = try create()
        try directory.write("genesis.cbor", [1])
        try directory.write("genesis.cbor", [2, 3])
        #expect(try directory.read("genesis.cbor") == [2, 3])
        #expect(try mode(path + "/genesis.cbor") == 0o600)
        let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        #expect(names == ["genesis.cbor", "identity.key"])
        #expect(throws: IdentityDirectoryError.invalidFileName("../x")) {
            try directory.write("../x", [1])
        }
    }

    @Test("a damaged key file is an error, whatever its bytes")
    func damagedKey() throws {
        let directory = try create()
        let random = noise(3)
        for count in [0, 1, 41, 42, 74, 138, 200] {
            try Data(random.bytes(count)).write(to: URL(filePath: path + "/identity.key"))
            try setMode(path + "/identity.key", 0o600)
            #expect(throws: IdentityDirectoryError.key(.notAKeyFile)) { try directory.key() }
        }
    }

    @Test("the record of a join survives its encoding")
    func joinRecord() throws {
        let record = JoinRecord(
            mesh: try #require(MeshID(randomBytes(16))), name: "north", address: "a:1",
            acceptor: key.publicKey, acceptorAddress: "b:2", joinedAt: 5)
        #expect(try JoinRecord(decoding: record.encoded) == record)
    }

    private func create(
        passphrase: [UInt8]? = nil, files: [DirectoryFile] = []
    ) throws -> IdentityDirectory {
        try IdentityDirectory.create(at: path, key: key, passphrase: passphrase, files: files)
    }

    private func left() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path)
    }

    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(attributes[.posixPermissions] as? NSNumber).intValue
    }

    private func setMode(_ path: String, _ mode: Int) throws {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }
}
