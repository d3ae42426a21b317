import AegisCore
package import AegisProtocol

/// The body of `GET /mesh/v1/commits`: a CBOR array of encoded commit records, lowest height first.
package enum CommitList {
    package static let countMax = 64
    package static let bytesMax = Limits.batchBytesMax + Limits.statementBytesMax

    package static func encode(_ records: [[UInt8]]) -> [UInt8] {
        CBOR.array(records.map { .bytes($0) }).encoded
    }

    package static func decode(_ body: [UInt8]) throws -> [CommitRecord] {
        guard case .array(let elements) = try CBOR.decode(body, bytesMax: bytesMax) else {
            throw StatementError.notAMap
        }
        return try elements.prefix(countMax).map { element in
            guard case .bytes(let bytes) = element else {
                throw StatementError.wrongType(field: 0)
            }
            return try CommitRecord(decoding: bytes)
        }
    }
}
