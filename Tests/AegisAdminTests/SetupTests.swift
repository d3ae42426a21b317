import AegisAdmin
import AegisCrypto
import AegisIdentity
import AegisProtocol
import FoundationEssentials
import Testing

@Suite("aegis-admin init") struct SetupTests {
    private func initialise(_ path: String, mesh: String = "hospitals") throws -> String {
        try AdminSetup.initialise(
            directory: path, mesh: mesh, api: "127.0.0.1:8443", listen: "127.0.0.1:8444",
            viewTimeoutMilliseconds: 5_000, strictThree: true, passphrase: nil, now: noon)
    }

    @Test("the folder opens again with what was asked for")
    func opens() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/a"
        #expect(try initialise(path).count == 23)
        let folder = try AdminFolder(opening: path, passphrase: nil)
        #expect(folder.founding.statement.name == "hospitals")
        #expect(folder.founding.statement.policy.strictThree)
        #expect(folder.founding.statement.admin == folder.identity.publicKey)
        #expect(folder.settings == AdminSettings(api: "127.0.0.1:8443", listen: "127.0.0.1:8444"))
        for name in ["ca.pem", "admin.pem", "admin-key.pem", "admin.p12", "context.json"] {
            #expect(
                FileManager.default.fileExists(atPath: path + "/credentials/" + name), "\(name)")
        }
    }

    @Test("an existing folder is never overwritten, and a refused one leaves nothing behind")
    func refuses() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/a"
        _ = try initialise(path)
        let before = try AdminFolder(opening: path, passphrase: nil).founding.bytes
        #expect(throws: SetupError.alreadyExists(path: path)) { _ = try initialise(path) }
        #expect(try AdminFolder(opening: path, passphrase: nil).founding.bytes == before)
        #expect(throws: SetupError.invalidName("A mesh")) {
            _ = try initialise(temporary.path + "/b", mesh: "A mesh")
        }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: temporary.path) == ["a"])
    }

    @Test("a failure is told with a hint")
    func failures() {
        let failure = AdminFailure(SetupError.alreadyExists(path: "x"))
        #expect(failure.code == 73)
        #expect(failure.hint?.contains("--dir") == true)
        #expect(AdminFailure(IdentityDirectoryError.notFound(path: "y")).code == 66)
    }
}
