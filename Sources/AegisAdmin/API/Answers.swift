import AegisAPI
import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
    static func json(
        _ value: some Encodable, status: HTTPResponse.Status = .ok
    ) throws -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: try AegisAPI.encode(value))))
    }

    static func bytes(_ bytes: [UInt8], type: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: type],
            body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

extension Request {
    /// The body, which `AuditMiddleware` has read and bounded, as JSON.
    func document() async throws -> JSONValue {
        var request = self
        let body = try await request.collectBody(upTo: AuditMiddleware.bodyBytesMax)
        guard body.readableBytes > 0 else { return .object([:]) }
        do { return try AegisAPI.document(body.readableBytesView) } catch {
            throw Problem(.malformed, detail: "it is not JSON")
        }
    }
}
