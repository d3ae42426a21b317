package import AegisAPI
import AegisCore
import AegisCrypto
import FoundationEssentials
import HTTPTypes
package import Hummingbird
import NIOCore

/// A request that got past identity, permission, limits and validation.
package struct Call: Sendable {
    package let principal: Principal
    package let requestID: String
    /// From the path, decoded.
    package let parameters: [String: String]
    /// From the query string, each of its route's parameters at most once.
    package let query: [String: String]
    package let body: JSONValue
    package let request: Request
    /// Milliseconds since 1970, when it arrived.
    package let now: UInt64

    func parameter(_ name: String) -> String { parameters[name] ?? "" }

    /// A member of the body that validation has shown to be there, or to be absent.
    func text(_ field: String) -> String? {
        guard case .object(let object) = body, case .text(let text)? = object[field] else {
            return nil
        }
        return text
    }

    func integer(_ field: String) -> Int? {
        guard case .object(let object) = body else { return nil }
        switch object[field] {
        case .integer(let number)?: return Int(exactly: number)
        case .number(let number)?: return Int(exactly: number)
        default: return nil
        }
    }

    func number(_ field: String) -> Double? {
        guard case .object(let object) = body else { return nil }
        switch object[field] {
        case .integer(let number)?: return Double(number)
        case .number(let number)?: return number
        default: return nil
        }
    }

    func flag(_ field: String) -> Bool? {
        guard case .object(let object) = body, case .bool(let value)? = object[field] else {
            return nil
        }
        return value
    }

    /// The client's last event, where it comes back to a stream.
    var lastEventID: String? { request.headers[.lastEventID] }

    /// Refuses a change of a version that its sender hasn't seen.
    func requireMatch(_ current: some Encodable) throws {
        let tag = EntityTag.of(Array(try AegisAPI.encode(current)))
        guard let match = request.headers[.ifMatch], EntityTag.list(match, has: tag) else {
            throw Problem(.changed, detail: "it is now \(tag)", hint: "read it again")
        }
    }

    /// One page of a list that is read from the item after a numbered one.
    func page<View: Codable & Sendable>(
        number: (View) -> Int, read: (_ after: Int, _ limit: Int) async throws -> [View]
    ) async throws -> Items<View> {
        guard let after = Int(query["after"] ?? "0"), after >= 0 else { throw Self.noPlace }
        let items = try await read(after, pageLimit + 1)
        let page = Array(items.prefix(pageLimit))
        return Items(
            items: page, next: page.count < items.count ? page.last.map { "\(number($0))" } : nil)
    }

    private var pageLimit: Int { query["limit"].flatMap { Int($0) } ?? 100 }

    private static let noPlace = Problem(
        .notFound, detail: "`after` is no `next` of this list",
        hint: "what it named may be gone; begin again without it")

    /// One page of a list that is in memory. `key` is unique.
    func page<Item, View: Codable & Sendable>(
        _ items: [Item], key: (Item) -> String, view: (Item) async throws -> View
    ) async throws -> Items<View> {
        var start = items.startIndex
        if let after = query["after"] {
            guard let index = items.firstIndex(where: { key($0) == after }) else {
                throw Self.noPlace
            }
            start = index + 1
        }
        let page = items[start...].prefix(pageLimit)
        var views: [View] = []
        for item in page { views.append(try await view(item)) }
        return Items(
            items: views, next: page.endIndex < items.endIndex ? page.last.map(key) : nil)
    }
}

/// `"<16 hexadecimal digits>"`, of the bytes that are answered.
enum EntityTag {
    static func of(_ bytes: [UInt8]) -> String {
        "\"" + SHA256.digest(of: bytes).hexadecimal.prefix(16) + "\""
    }

    /// RFC 9110 §8.8.3 and §13.1.1: `*`, or tags with commas between them.
    static let listPattern =
        #"^(\*|(W/)?"[!#-~]{0,64}"([ \t]*,[ \t]*(W/)?"[!#-~]{0,64}"){0,15})$"#

    static func isList(_ header: String) -> Bool {
        if header == "*" { return true }
        var rest = Array(header.utf8)[...]
        func skipSpace() { rest = rest.drop { $0 == 0x20 || $0 == 0x09 } }
        for _ in 0..<16 {
            if rest.starts(with: "W/".utf8) { rest = rest.dropFirst(2) }
            guard rest.first == 0x22 else { return false }
            let tag = rest.dropFirst().prefix { (0x21...0x7e).contains($0) && $0 != 0x22 }
            rest = rest.dropFirst(1 + tag.count)
            guard tag.count <= 64, rest.first == 0x22 else { return false }
            rest = rest.dropFirst()
            if rest.isEmpty { return true }
            skipSpace()
            guard rest.first == 0x2c else { return false }
            rest = rest.dropFirst()
            skipSpace()
        }
        return false
    }

    /// Whether an `If-Match` or `If-None-Match` names `tag` or anything at all.
    static func list(_ header: String, has tag: String) -> Bool {
        header.split(separator: ",").contains { entry in
            let entry = entry.drop { $0 == " " }.prefix { $0 != " " }
            return entry == "*" || entry == tag || entry == "W/" + tag
        }
    }
}

extension HTTPField.Name {
    static let requestID = named("x-request-id")
    static let idempotencyKey = named("idempotency-key")
    static let lastEventID = named("last-event-id")
    static let secFetchSite = named("sec-fetch-site")
    static let contentSecurityPolicy = named("content-security-policy")
    static let permissionsPolicy = named("permissions-policy")
    static let frameOptions = named("x-frame-options")
    static let referrerPolicy = named("referrer-policy")
    static let openerPolicy = named("cross-origin-opener-policy")
    static let resourcePolicy = named("cross-origin-resource-policy")
    static let idempotentReplay = named("idempotent-replay")

    private static func named(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("a header's name") }
        return name
    }
}
