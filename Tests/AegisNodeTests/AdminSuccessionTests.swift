import AegisCore
import AegisCrypto
import AegisIdentity
import AegisNode
import AegisProtocol
import TestFolders
import Testing

@Suite("What an owner agrees to when it approves of another admin")
struct AdminSuccessionTests {
    private let folder: TemporaryDirectory
    private let admin = IdentityKey.generate()
    private let next = IdentityKey.generate()
    private let mesh: MeshID

    init() throws {
        folder = try TemporaryDirectory()
        mesh = try #require(MeshID([UInt8](repeating: 7, count: 16)))
    }

    private func file(
        mesh: MeshID? = nil, old: NodeID? = nil, new: NodeID? = nil, signer: IdentityKey? = nil
    ) throws -> String {
        let consent = KeyConsent(
            mesh: mesh ?? self.mesh, old: old ?? admin.publicKey, new: new ?? next.publicKey)
        let path = folder.file("consent.cose")
        try Files.write(
            EnvelopeSigner(signer ?? next).sign(.keyConsent, consent.payload).bytes, to: path)
        return path
    }

    private func replacement(_ path: String, key: String? = nil) throws -> KeyReplacement {
        try AdminSuccession.replacement(
            path, key: key ?? next.publicKey.text, mesh: mesh, admin: admin.publicKey)
    }

    /// The reason in the words for the owner.
    private func refusal(_ path: String, key: String? = nil) -> String? {
        do {
            _ = try replacement(path, key: key)
            return nil
        } catch {
            guard case NodeError.adminRefused(let reason) = error else { return "\(error)" }
            return reason
        }
    }

    @Test("the file of the key that was told is taken, by the whole key or how it begins")
    func taken() throws {
        let path = try file()
        let wanted = try replacement(path)
        #expect(wanted.old == admin.publicKey && wanted.new == next.publicKey)
        #expect(try replacement(path, key: String(next.publicKey.text.prefix(16))) == wanted)
        #expect(try replacement(path, key: next.publicKey.text.uppercased()) == wanted)
    }

    @Test("a key that was not told, or not far enough, is refused without naming the right one")
    func otherKey() throws {
        let path = try file()
        let other = try #require(refusal(path, key: admin.publicKey.text))
        #expect(other.contains("another key") && !other.contains(next.publicKey.text))
        #expect(refusal(path, key: String(next.publicKey.text.prefix(15)))?.contains("16") == true)
        #expect(refusal(path, key: "")?.contains("16") == true)
    }

    @Test("a file that is no consent to this change, here, is refused")
    func otherFile() throws {
        #expect(refusal(folder.file("absent"))?.contains("can't be read") == true)
        let path = try file()
        let bytes = try Files.read(path)
        for offset in stride(from: 0, to: bytes.count, by: 5) {
            var damaged = bytes
            damaged[offset] ^= 0x20
            try Files.write(damaged, to: path)
            #expect(refusal(path) != nil, "byte \(offset)")
        }
        try Files.write(bytes.dropLast(), to: path)
        #expect(refusal(path)?.contains("damaged") == true)
        // Signed by another key than it names.
        #expect(refusal(try file(signer: admin))?.contains("damaged") == true)
        let elsewhere = try #require(MeshID([UInt8](repeating: 8, count: 16)))
        #expect(refusal(try file(mesh: elsewhere))?.contains("another mesh") == true)
        let before = IdentityKey.generate().publicKey
        #expect(refusal(try file(old: before))?.contains("is to replace") == true)
        #expect(
            refusal(try file(new: admin.publicKey, signer: admin), key: admin.publicKey.text)?
                .contains("already") == true)
    }
}
