import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import Foundation
import Testing

/// A mesh of three founders and an admin at a fixed time.
struct TestMesh {
    static let now: UInt64 = 1_790_000_000

    let mesh: MeshID
    let admin = IdentityKey.generate()
    let founders = (0..<3).map { _ in IdentityKey.generate() }
    let founding: SignedFounding
    let adminTLS: TLSIdentity

    init() throws {
        mesh = try #require(MeshID(randomBytes(16)))
        founding = SignedFounding.sign(
            FoundingStatement(
                mesh: mesh, name: "test", admin: admin.publicKey, policy: MeshPolicy(),
                foundedAt: Self.now * 1_000),
            by: admin)
        adminTLS = try TLSIdentity.issue(for: admin, mesh: mesh, sequence: 1, now: Self.now)
    }

    func roster(strictThree: Bool = false, with extra: [IdentityKey] = []) throws -> Roster {
        try Roster(
            epoch: 0,
            entries: (founders + extra).enumerated().map { index, key in
                RosterEntry(
                    node: key.publicKey, name: "node-\(index)",
                    address: "127.0.0.1:\(9_000 + index)")
            },
            strictThree: strictThree)
    }

    func genesis(_ roster: Roster? = nil) throws -> GenesisStatement {
        GenesisStatement(
            mesh: mesh, founding: founding.digest, roster: try roster ?? self.roster())
    }

    func document(
        _ statement: GenesisStatement, signedBy signers: [IdentityKey]? = nil
    ) -> GenesisDocument {
        GenesisDocument(
            founding: founding.bytes,
            signatures: (signers ?? founders).map {
                EnvelopeSigner($0).sign(.genesisSignature, statement.payload).bytes
            })
    }

    func token(validFor seconds: UInt64 = 3_600) throws -> JoinToken {
        try JoinToken.mint(
            mesh: mesh, founding: founding.digest, notAfter: Self.now + seconds)
    }

    func tls(
        _ key: IdentityKey, sequence: UInt64 = 1, now: UInt64 = now
    ) throws -> TLSIdentity {
        try TLSIdentity.issue(for: key, mesh: mesh, sequence: sequence, now: now)
    }
}

/// A folder that goes with its owner.
final class TemporaryFolder {
    let path: String

    init() throws {
        path =
            FileManager.default.temporaryDirectory
            .appending(path: "aegis-identity-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let location = path + "/" + name
        try Data(bytes).write(to: URL(filePath: location))
        return location
    }

    func write(_ name: String, _ text: String) throws -> String {
        try write(name, Array(text.utf8))
    }
}

/// The openssl program: an implementation that shares no code with the one under test.
struct OpenSSL {
    let status: Int32
    let output: String

    init(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        process.standardInput = FileHandle.nullDevice
        try process.run()
        output = String(
            decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        status = process.terminationStatus
    }
}

/// Noise with a seed that a failure can be repeated with.
func noise(_ seed: UInt8) -> CryptographicGenerator {
    CryptographicGenerator(seed: [UInt8](repeating: seed, count: 32))
}
