import AegisAPI
import Hummingbird
import NIOCore

/// What was done, by whom, and the proof that nothing of it was changed since.
enum AuditRoutes {
    static let all: [Route] = [
        Route(
            .get, "/api/v1/audit", .readAudit, tag: "audit", "The records, the newest first",
            query: [
                .init("actor", .text(length: 1...64), "Only acts of this principal."),
                .init("action", .text(length: 1...100), "Only acts whose method or path has this."),
                .init(
                    "outcome", .choice(["done", "refused", "failed", "replayed"]),
                    "Only acts that ended so."),
                .init("request", .text(length: 1...32), "Only the act of this request."),
                .init("from", .time, "Not before."), .init("until", .time, "Before."),
                .init("limit", .integer(1...500), "How many at most; 100 if absent."),
                .init("after", .integer(1...Int.max), "`next` of the page before."),
            ],
            answer: .init(200, Components.page("AuditRecord"), "A page of records."),
            handler: { desks, call in
                var query = AuditQuery()
                query.actor = call.query["actor"]
                query.action = call.query["action"]
                query.outcome = call.query["outcome"]
                query.request = call.query["request"]
                query.from = call.query["from"].flatMap(TimeReader.milliseconds)
                query.until = call.query["until"].flatMap(TimeReader.milliseconds)
                query.before = call.query["after"].flatMap { Int64($0) }
                let limit = call.query["limit"].flatMap { Int($0) } ?? 100
                query.limit = limit + 1
                let found = try await desks.database.audit(query)
                let page = Array(found.prefix(limit))
                return try .json(
                    Items(
                        items: page,
                        next: found.count > limit ? page.last.map { "\($0.sequence)" } : nil))
            }),
        Route(
            .get, "/api/v1/audit/head", .readAudit, tag: "audit",
            "The newest record's digest, to be kept elsewhere, and the newest that the mesh signed",
            answer: .init(200, .named("AuditHead"), "The head."),
            handler: { desks, _ in try .json(try await desks.database.witnessedHead()) }),
        Route(
            .get, "/api/v1/audit/witnesses", .readAudit, tag: "audit",
            "The heads that the mesh has signed, each with the height of its commit",
            query: [
                .init("limit", .integer(1...500), "How many at most; 100 if absent."),
                .init("after", .integer(0...Int.max), "`next` of the page before."),
            ],
            answer: .init(200, Components.page("AuditWitness"), "A page of heads."),
            handler: { desks, call in
                let limit = call.query["limit"].flatMap { Int($0) } ?? 100
                let found = try await desks.database.auditWitnesses(
                    after: call.query["after"].flatMap { Int64($0) } ?? 0, limit: limit + 1)
                let page = Array(found.prefix(limit))
                return try .json(
                    Items(
                        items: page,
                        next: found.count > limit ? page.last.map { "\($0.sequence)" } : nil))
            }),
        Route(
            .get, "/api/v1/audit/export", .readAudit, tag: "audit",
            "The whole log, a record a line, for verification offline", traits: .sensitive,
            answer: .init(200, type: "application/jsonl", "The log."),
            handler: { desks, _ in export(desks.database) }),
        Route(
            .get, "/api/v1/audit/verification", .readAudit, tag: "audit",
            "Walk the whole chain here and name the first record that doesn't fit",
            traits: .sensitive,
            answer: .init(200, .named("AuditVerification"), "The finding."),
            handler: { desks, _ in try .json(try await desks.database.verifyAudit()) }),
    ]

    private static func export(_ database: AdminDatabase) -> Reply {
        let body = ResponseBody { writer in
            var last: Int64 = 0
            while true {
                let lines = try await database.auditLines(after: last, limit: 2_000)
                guard let newest = lines.last else { break }
                var buffer = ByteBuffer()
                for (_, line) in lines { buffer.writeString(line + "\n") }
                try await writer.write(buffer)
                last = newest.sequence
            }
            try await writer.finish(nil)
        }
        return .stream(body, type: "application/jsonl", fileName: "audit.jsonl")
    }
}
