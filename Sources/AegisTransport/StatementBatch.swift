package import AegisCore

package enum StatementBatchError: Error, Hashable, Sendable {
    case malformed(CBORError)
    case notByteStrings
    case tooMany(Int)
    case statementTooLarge(byteCount: Int)
}

/// The body of `POST /mesh/v1/statements`: a CBOR array of byte strings.
package enum StatementBatch {
    package static func encode(_ statements: [[UInt8]]) -> [UInt8] {
        CBOR.array(statements.map { .bytes($0) }).encoded
    }

    package static func decode(_ body: [UInt8]) throws(StatementBatchError) -> [[UInt8]] {
        let value: CBOR
        do { value = try CBOR.decode(body, bytesMax: Limits.batchBytesMax) } catch {
            throw .malformed(error)
        }
        guard case .array(let elements) = value else { throw .notByteStrings }
        guard elements.count <= Limits.batchStatementsMax else { throw .tooMany(elements.count) }
        var statements: [[UInt8]] = []
        for element in elements {
            guard case .bytes(let statement) = element else { throw .notByteStrings }
            guard statement.count <= Limits.statementBytesMax else {
                throw .statementTooLarge(byteCount: statement.count)
            }
            statements.append(statement)
        }
        return statements
    }

    /// How many of `statements`, from the first, make one batch.
    package static func prefixCount(of statements: some Sequence<[UInt8]>) -> Int {
        var bytes = 9
        var count = 0
        for statement in statements {
            bytes += statement.count + 9
            guard bytes <= Limits.batchBytesMax, count < Limits.batchStatementsMax else { break }
            count += 1
        }
        return count
    }
}
