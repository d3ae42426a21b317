import AegisAPI
package import HTTPTypes
package import Hummingbird
import NIOCore

/// What a handler answers, before the headers that every answer has.
package struct Reply: Sendable {
    package enum Content: Sendable {
        case bytes([UInt8])
        case stream(ResponseBody)
    }

    package var status: Int
    package var headers: HTTPFields
    package var content: Content

    init(status: Int, headers: HTTPFields = [:], content: Content = .bytes([])) {
        self.status = status
        self.headers = headers
        self.content = content
    }

    /// JSON with the tag of its bytes.
    static func json(
        _ value: some Encodable, status: Int = 200, location: String? = nil
    ) throws -> Reply {
        let bytes = Array(try AegisAPI.encode(value))
        var reply = Reply(
            status: status, headers: [.contentType: "application/json"], content: .bytes(bytes))
        if status == 200 { reply.headers[.eTag] = EntityTag.of(bytes) }
        if let location { reply.headers[.location] = location }
        return reply
    }

    static func bytes(_ bytes: [UInt8], type: String, fileName: String? = nil) -> Reply {
        var reply = Reply(status: 200, headers: [.contentType: type], content: .bytes(bytes))
        reply.headers[.eTag] = EntityTag.of(bytes)
        if let fileName { reply.attach(fileName) }
        return reply
    }

    static func stream(
        _ body: ResponseBody, type: String, fileName: String? = nil
    ) -> Reply {
        var reply = Reply(status: 200, headers: [.contentType: type], content: .stream(body))
        if let fileName { reply.attach(fileName) }
        return reply
    }

    static let nothing = Reply(status: 204)
    static let accepted = Reply(status: 202)

    private mutating func attach(_ fileName: String) {
        headers[.contentDisposition] = "attachment; filename=\"\(fileName)\""
    }

    func response(withoutBody: Bool) -> Response {
        let body: ResponseBody =
            switch content {
            case _ where withoutBody: .init()
            case .bytes(let bytes) where bytes.isEmpty: .init()
            case .bytes(let bytes): .init(byteBuffer: ByteBuffer(bytes: bytes))
            case .stream(let body): body
            }
        return Response(status: .init(code: status), headers: headers, body: body)
    }
}
