import AegisAPI
import AegisAdmin
import AegisCore
import AegisIdentity
import Foundation
import NIOHTTP1
import Testing

@Suite("What every call can rely on", .timeLimit(.minutes(2))) struct APIBehaviourTests {
    private func type(_ answer: RunningAdmin.Answer) -> String? {
        (try? AegisAPI.decode(Problem.self, from: answer.body))?.type
            .split(separator: ":").last.map(String.init)
    }

    private func with(
        _ role: AdminRole = .admin,
        _ body: (RunningAdmin, RunningAdmin.Session) async throws -> Void
    ) async throws {
        try await RunningAdmin.with { admin in
            let certificate = try await admin.issue("ada", role)
            try await admin.session(certificate) { try await body(admin, $0) }
        }
    }

    @Test("an idempotency key makes a creation once, and belongs to one request")
    func idempotency() async throws {
        try await with { _, session in
            let key = ["idempotency-key": "k1"]
            let body = #"{"name": "cohort", "description": "a"}"#
            let first = try await session.call(.POST, "/api/v1/datasets", body, headers: key)
            #expect(first.status == 201)
            #expect(first.headers.first(name: "location") == "/api/v1/datasets/cohort")
            let again = try await session.call(.POST, "/api/v1/datasets", body, headers: key)
            #expect(again.status == 201)
            #expect(again.body == first.body)
            #expect(again.headers.first(name: "idempotent-replay") == "true")
            let other = try await session.call(
                .POST, "/api/v1/datasets", #"{"name": "other"}"#, headers: key)
            #expect(type(other) == "key-reused")
            // A secret is not kept to be told again.
            let token = #"{"name": "north"}"#
            #expect(
                try await session.call(
                    .POST, "/api/v1/join-tokens", token, headers: ["idempotency-key": "k2"]
                )
                .status == 201)
            let repeated = try await session.call(
                .POST, "/api/v1/join-tokens", token, headers: ["idempotency-key": "k2"])
            #expect(type(repeated) == "already-done")
            let list = try await session.call(.GET, "/api/v1/join-tokens")
            #expect(
                try AegisAPI.decode(Items<JoinTokenView>.self, from: list.body).items.count == 1)
        }
    }

    @Test("a change names the version it is of, and an old one is refused")
    func matching() async throws {
        try await with { admin, session in
            _ = try await admin.issue("olga", .operator)
            let path = "/api/v1/users/olga"
            let shown = try await session.call(.GET, path)
            let tag = try unwrap(shown.headers.first(name: "etag"))
            let same = try await session.call(.GET, path, headers: ["if-none-match": tag])
            #expect(same.status == 304)
            #expect(same.body.isEmpty)
            let change = #"{"role": "auditor"}"#
            for headers in [[:], ["if-match": ""], ["if-match": "7"]] {
                let answer = try await session.call(.PATCH, path, change, headers: headers)
                #expect(answer.status == 422)
                let problem = try AegisAPI.decode(Problem.self, from: answer.body)
                #expect(problem.faults?.map(\.field) == ["If-Match"])
            }
            let done = try await session.call(.PATCH, path, change, headers: ["if-match": tag])
            #expect(done.status == 200)
            let stale = try await session.call(.PATCH, path, change, headers: ["if-match": tag])
            #expect(stale.status == 409)
            #expect(type(stale) == "changed")
            let anything = try await session.call(.PATCH, path, change, headers: ["if-match": "*"])
            #expect(anything.status == 200)
        }
    }

    @Test("the last administrator can't be disabled or demoted")
    func lastAdministrator() async throws {
        try await with(.admin) { admin, session in
            // `init` made one more, who goes first.
            for (name, status) in [("admin", 200), ("ada", 409)] {
                let path = "/api/v1/users/" + name
                let tag = try unwrap(
                    try await session.call(.GET, path).headers.first(name: "etag"))
                let answer = try await session.call(
                    .PATCH, path, #"{"disabled": true}"#, headers: ["if-match": tag])
                #expect(answer.status == status)
            }
            let demoted = try await session.call(
                .PATCH, "/api/v1/users/ada", #"{"role": "viewer"}"#, headers: ["if-match": "*"])
            #expect(type(demoted) == "last-administrator")
        }
    }

    @Test("another site's page can't make a browser change anything")
    func crossSite() async throws {
        try await with { _, session in
            for headers in [
                ["sec-fetch-site": "cross-site"], ["sec-fetch-site": "same-site"],
                ["origin": "https://evil.example"], ["origin": "null"],
            ] {
                let answer = try await session.call(
                    .POST, "/api/v1/datasets", #"{"name": "x"}"#, headers: headers)
                #expect(type(answer) == "cross-site")
            }
            // What a form can send without asking first.
            let form = try await session.call(
                .POST, "/api/v1/datasets", "name=x",
                headers: ["content-type": "application/x-www-form-urlencoded"])
            #expect(type(form) == "unsupported-media-type")
            let own = try await session.call(
                .POST, "/api/v1/datasets", #"{"name": "x"}"#,
                headers: ["sec-fetch-site": "same-origin"])
            #expect(own.status == 201)
        }
    }

    @Test("what is sensitive is limited for each principal, with the time to wait")
    func rates() async throws {
        try await with { admin, session in
            var limited: RunningAdmin.Answer?
            for _ in 0..<40 where limited == nil {
                let answer = try await session.call(.GET, "/api/v1/audit/verification")
                if answer.status == 429 { limited = answer }
            }
            let answer = try unwrap(limited)
            #expect(type(answer) == "rate-limited")
            #expect(Int(answer.headers.first(name: "retry-after") ?? "") ?? 0 >= 1)
            #expect(try await session.call(.GET, "/api/v1/audit/head").status == 200)
            let bob = try await admin.issue("bob", .admin)
            try await admin.session(bob) { other in
                let answer = try await other.call(.GET, "/api/v1/audit/verification")
                #expect(answer.status == 200)
            }
        }
    }

    @Test("lists come in pages that join to the whole")
    func paging() async throws {
        try await with { _, session in
            for index in 1...5 {
                _ = try await session.call(
                    .POST, "/api/v1/datasets", #"{"name": "d\#(index)"}"#)
            }
            var names: [String] = []
            var after: String?
            repeat {
                let answer = try await session.call(
                    .GET, "/api/v1/datasets?limit=2" + (after.map { "&after=" + $0 } ?? ""))
                let page = try AegisAPI.decode(Items<DatasetView>.self, from: answer.body)
                names += page.items.map(\.name)
                after = page.next
            } while after != nil
            #expect(names == ["d1", "d2", "d3", "d4", "d5"])
            #expect(try await session.call(.GET, "/api/v1/datasets?after=zzz").status == 404)
        }
    }

    @Test(
        "a query part that is unknown, twice or out of range is a fault by name",
        arguments: [
            ("/api/v1/datasets?colour=red", "colour"), ("/api/v1/datasets?limit=0", "limit"),
            ("/api/v1/datasets?limit=1&limit=2", "limit"), ("/api/v1/runs?state=odd", "state"),
            ("/api/v1/audit?from=yesterday", "from"),
            ("/api/v1/audit/witnesses?after=-1", "after"),
        ])
    func queries(path: String, field: String) async throws {
        try await with { _, session in
            let answer = try await session.call(.GET, path)
            #expect(answer.status == 422)
            let problem = try AegisAPI.decode(Problem.self, from: answer.body)
            #expect(problem.faults?.map(\.field) == [field])
        }
    }

    @Test("times and entity tags are taken in every form that their standards have")
    func forms() async throws {
        try await with { _, session in
            for time in [
                "2026-03-01", "2026-03-01T09:30:00Z", "2026-03-01t09:30:00.25z",
                "2026-03-01T09:30:60.123456789%2B01:00", "0230-02-24T21:49:56-22:08",
            ] {
                let answer = try await session.call(.GET, "/api/v1/audit?from=" + time)
                #expect(answer.status == 200, "\(time)")
            }
            for time in ["2026-03-01T09:30:00", "2026-03-01T09:30:00.Z", "2026-02-30"] {
                let answer = try await session.call(.GET, "/api/v1/audit?from=" + time)
                #expect(answer.status == 422, "\(time)")
            }
            for (tags, status) in [
                (#""a,b" , W/"c""#, 409), (#"W/"""#, 409), (#""a" "b""#, 422), (#""a",,"b""#, 422),
                (#""a"#, 422),
            ] {
                let answer = try await session.call(
                    .PATCH, "/api/v1/users/ada", #"{"disabled": false}"#,
                    headers: ["if-match": tags])
                #expect(answer.status == status, "\(tags)")
            }
        }
    }

    @Test("every answer has the headers that browsers keep to")
    func headers() async throws {
        try await with { _, session in
            for path in ["/api/v1/mesh", "/", "/assets/app.css", "/nothing"] {
                let answer = try await session.call(.GET, path)
                for name in [
                    "x-request-id", "x-content-type-options", "x-frame-options",
                    "content-security-policy", "strict-transport-security", "referrer-policy",
                ] {
                    #expect(answer.headers.first(name: name) != nil, "\(path) \(name)")
                }
                let policy = answer.headers.first(name: "content-security-policy") ?? ""
                #expect(policy.hasPrefix("default-src 'none'"))
                #expect(!policy.contains("unsafe"))
            }
            let other = try await session.call(.DELETE, "/api/v1/mesh")
            #expect(other.status == 405)
            #expect(other.headers.first(name: "allow") == "GET, HEAD")
            let head = try await session.call(.HEAD, "/api/v1/mesh")
            #expect(head.status == 200)
            #expect(head.body.isEmpty)
        }
    }

    @Test("ε and σ of a planned run are two sides of one curve")
    func calibration() async throws {
        try await with(.viewer) { _, session in
            let plan = #""delta": 1e-5, "sampling_rate": 0.042667, "steps": 300"#
            let path = "/api/v1/privacy/calibrate"
            let sigma = try await session.call(.POST, path, #"{"epsilon": 3, \#(plan)}"#)
            let found = try AegisAPI.decode(CalibrationView.self, from: sigma.body)
            #expect(found.epsilon <= 3 && found.epsilon > 2.99)
            #expect(found.course == found.course.sorted())
            let back = try await session.call(
                .POST, path, #"{"noise_multiplier": \#(found.noiseMultiplier), \#(plan)}"#)
            #expect(
                try AegisAPI.decode(CalibrationView.self, from: back.body).epsilon == found.epsilon)
            let both = try await session.call(
                .POST, path, #"{"noise_multiplier": 1, "epsilon": 3, \#(plan)}"#)
            #expect(both.status == 422)
        }
    }

    @Test("a user is created, shown, renewed and revoked; the .p12 is PKCS#12")
    func users() async throws {
        try await with { admin, session in
            let made = try await session.call(
                .POST, "/api/v1/users", #"{"name": "olga", "role": "operator", "days": 30}"#)
            #expect(made.status == 201)
            let credentials = try AegisAPI.decode(CredentialsView.self, from: made.body)
            let bundle = try unwrap(Data(base64Encoded: credentials.pkcs12))
            #expect(bundle.first == 0x30)
            let olga = RunningAdmin.ClientCertificate(
                pem: credentials.certificatePem, keyPEM: credentials.privateKeyPem)
            try await admin.session(olga) { own in
                let me = try AegisAPI.decode(
                    PrincipalView.self, from: try await own.call(.GET, "/api/v1/whoami").body)
                #expect(me.name == "olga")
                #expect(me.fingerprint == credentials.fingerprint)
                let renewed = try await own.call(
                    .POST, "/api/v1/whoami/certificates", #"{"revoke_others": true}"#)
                #expect(renewed.status == 201)
                // The old one is gone at once.
                #expect(try await own.call(.GET, "/api/v1/whoami").status == 401)
            }
        }
    }
}
