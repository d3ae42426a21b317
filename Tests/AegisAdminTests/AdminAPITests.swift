import AegisAPI
import AegisAdmin
import AegisCore
import AegisCrypto
import AegisIdentity
import AegisTelemetry
import Foundation
import NIOHTTP1
import NIOSSL
import Testing

@Suite("The admin API over real TLS", .timeLimit(.minutes(3))) struct AdminAPITests {
    private func problem(_ answer: RunningAdmin.Answer) throws -> Problem {
        #expect(answer.type == "application/problem+json")
        return try AegisAPI.decode(Problem.self, from: answer.body)
    }

    @Test("nobody gets in without a certificate, with a foreign one, or over TLS 1.2")
    func authentication() async throws {
        try await RunningAdmin.with { admin in
            let administrator = try await admin.issue("ada", .admin)
            let health = "/api/v1/health"
            let answer = try await admin.call(.GET, health, as: administrator)
            #expect(answer.status == 200)
            #expect(answer.text == #"{"status":"up"}"#)

            await #expect(throws: (any Error).self) {
                _ = try await admin.call(.GET, health, as: nil)
            }
            let now = Timestamp.now() / 1_000
            let impostor = try CertificateAuthority.create(
                mesh: admin.folder.mesh, meshName: "hospitals", now: now
            ).issueUser(AdminUser(name: "ada", role: .admin), now: now)
            await #expect(throws: (any Error).self) {
                _ = try await admin.call(.GET, health, as: .init(impostor))
            }
            await #expect(throws: (any Error).self) {
                _ = try await admin.call(.GET, health, as: administrator, tlsMax: .tlsv12)
            }
            // A server's certificate of the right authority names no user.
            let server = try admin.folder.authority.issueServer(hosts: ["localhost"], now: now)
            do {
                let answer = try await admin.call(.GET, health, as: .init(server))
                #expect(answer.status == 401)
            } catch {
                // BoringSSL refuses it for its purpose already.
            }
        }
    }

    @Test("curl gets in with the files that init wrote, and not without them")
    func curl() async throws {
        try await RunningAdmin.with { admin in
            let url = "https://127.0.0.1:\(admin.api)/api/v1/mesh"
            let folder = admin.credentials
            let trusted = ["--cacert", folder + "/ca.pem"]
            let good = try await Self.curl(
                trusted + [
                    "--cert", folder + "/admin.pem", "--key", folder + "/admin-key.pem", url,
                ]
            )
            #expect(good.status == 0)
            #expect(good.output.contains("\"name\":\"hospitals\""))
            let anonymous = try await Self.curl(trusted + [url])
            #expect(anonymous.status != 0)
            #expect(anonymous.output.isEmpty)
        }
    }

    private static func curl(
        _ arguments: [String]
    ) async throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["curl", "-s", "--max-time", "45"] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    @Test("faults, unknown paths and large bodies are problems with a request id")
    func problems() async throws {
        try await RunningAdmin.with { admin in
            let ada = try await admin.issue("ada", .admin)
            let faulty = try await admin.call(
                .POST, "/api/v1/join-tokens", #"{"name": "A", "expires_seconds": 0, "x": 1}"#,
                as: ada)
            #expect(faulty.status == 422)
            let faults = try problem(faulty)
            #expect(faults.faults?.map(\.field) == ["name", "expires_seconds", "x"])
            #expect(faults.requestID == faulty.requestID)
            #expect(faulty.requestID?.isEmpty == false)

            let nothing = try await admin.call(.GET, "/api/v1/nothing", as: ada)
            #expect(nothing.status == 404)
            #expect(try problem(nothing).type == "urn:aegis:problem:not-found")
            let garbage = try await admin.call(.POST, "/api/v1/runs", "{", as: ada)
            #expect(garbage.status == 400)
            let large = try await admin.call(
                .POST, "/api/v1/runs", String(repeating: " ", count: 300_000), as: ada)
            #expect(large.status == 413)
            let unready = try await admin.call(
                .POST, "/api/v1/runs",
                #"{"name": "r", "dataset": "none", "rounds": 1, "#
                    + #""model": {"kind": "none", "parameters": 1}}"#, as: ada)
            #expect(try problem(unready).type == "urn:aegis:problem:mesh-open")
            let unknown = try await admin.call(.GET, "/api/v1/runs/x", as: ada)
            #expect(try problem(unknown).type == "urn:aegis:problem:not-found")
        }
    }

    @Test("a token is shown once, and neither the list, the database nor the audit has it")
    func tokens() async throws {
        try await RunningAdmin.with { admin in
            let ada = try await admin.issue("ada", .admin)
            let made = try await admin.call(
                .POST, "/api/v1/join-tokens", #"{"name": "north"}"#, as: ada)
            #expect(made.status == 201)
            let token = try AegisAPI.decode(JoinTokenCreated.self, from: made.body)
            #expect(token.token.hasPrefix("aegisjoin1_"))
            let list = try await admin.call(.GET, "/api/v1/join-tokens", as: ada)
            let items = try AegisAPI.decode(Items<JoinTokenView>.self, from: list.body).items
            #expect(items.map(\.state) == [.unused])
            #expect(items.map(\.createdBy) == ["ada"])
            #expect(!list.text.contains("aegisjoin1_"))
            let secret = try JoinToken(parsing: token.token, now: 0).secretText.dropFirst(11)
            let folder = admin.folder.directory.path
            for file in try FileManager.default.subpathsOfDirectory(atPath: folder) {
                let data = FileManager.default.contents(atPath: folder + "/" + file) ?? Data()
                #expect(data.range(of: Data(secret.utf8)) == nil, "\(file)")
            }
        }
    }

    @Test("every call that changes something leaves one audit record, also when it is refused")
    func audit() async throws {
        try await RunningAdmin.with { admin in
            let ada = try await admin.issue("ada", .admin)
            let vic = try await admin.issue("vic", .viewer)
            let body = #"{"name": "north"}"#
            let made = try await admin.call(.POST, "/api/v1/join-tokens", body, as: ada)
            _ = try await admin.call(.POST, "/api/v1/join-tokens", body, as: vic)
            _ = try await admin.call(.GET, "/api/v1/join-tokens", as: ada)
            _ = try await admin.call(.POST, "/api/v1/mesh/found", "{}", as: ada)
            let database = try AdminDatabase(path: admin.folder.databasePath)
            let records = try await database.audit(AuditQuery()).reversed().suffix(3)
            #expect(try await database.verifyAudit().intact)
            #expect(records.map(\.actor) == ["ada", "vic", "ada"])
            #expect(
                records.map(\.outcome) == ["done", "refused forbidden", "refused no-participants"])
            #expect(records.first?.request == made.requestID)
            #expect(
                records.first?.parameters == SHA256.digest(of: Array(body.utf8)).description)
            #expect(records.first?.action == "POST /api/v1/join-tokens")
        }
    }
}
