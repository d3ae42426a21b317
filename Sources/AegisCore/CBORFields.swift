/// Why a well-formed value is not the statement it should be.
package enum StatementError: Error, Hashable, Sendable {
    case malformed(CBORError)
    case notAMap
    case missing(field: Int64)
    case wrongType(field: Int64)
    case outOfRange(field: Int64)
    case unknown(field: Int64)
}

/// Reads the fields of a map one by one; `finish` refuses what was not asked for, so a statement
/// never carries a field that somebody signed and nobody read.
package struct CBORFields {
    private let map: CBORMap
    private var read = 0

    package init(_ value: CBOR) throws(StatementError) {
        guard case .map(let map) = value else { throw .notAMap }
        self.map = map
    }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        do { try self.init(CBOR.decode(bytes)) } catch let error as CBORError {
            throw .malformed(error)
        } catch let error as StatementError {
            throw error
        } catch {
            preconditionFailure("no other error is thrown")
        }
    }

    package mutating func optional(_ field: Int64) -> CBOR? {
        guard let value = map[field] else { return nil }
        read += 1
        return value
    }

    package mutating func value(_ field: Int64) throws(StatementError) -> CBOR {
        guard let value = optional(field) else { throw .missing(field: field) }
        return value
    }

    package mutating func unsigned(
        _ field: Int64, max: UInt64 = .max
    ) throws(StatementError) -> UInt64 {
        guard case .unsigned(let value) = try value(field) else {
            throw .wrongType(field: field)
        }
        guard value <= max else { throw .outOfRange(field: field) }
        return value
    }

    package mutating func integer(
        _ field: Int64, in range: ClosedRange<Int64> = .min ... .max
    ) throws(StatementError) -> Int64 {
        let result: Int64?
        switch try value(field) {
        case .unsigned(let value): result = Int64(exactly: value)
        case .negative(let value): result = Int64(exactly: value).map { -1 - $0 }
        default: throw .wrongType(field: field)
        }
        guard let result, range.contains(result) else { throw .outOfRange(field: field) }
        return result
    }

    package mutating func count(
        _ field: Int64, in range: ClosedRange<Int>
    ) throws(StatementError) -> Int {
        Int(try integer(field, in: Int64(range.lowerBound)...Int64(range.upperBound)))
    }

    package mutating func bytes(
        _ field: Int64, max: Int = Limits.statementBytesMax
    ) throws(StatementError) -> [UInt8] {
        guard case .bytes(let value) = try value(field) else { throw .wrongType(field: field) }
        guard value.count <= max else { throw .outOfRange(field: field) }
        return value
    }

    package mutating func text(
        _ field: Int64, max: Int = Limits.nameBytesMax
    ) throws(StatementError) -> String {
        guard case .text(let value) = try value(field) else { throw .wrongType(field: field) }
        guard value.utf8.count <= max else { throw .outOfRange(field: field) }
        return value
    }

    package mutating func bool(_ field: Int64) throws(StatementError) -> Bool {
        guard case .bool(let value) = try value(field) else { throw .wrongType(field: field) }
        return value
    }

    package mutating func array(
        _ field: Int64, max: Int = Limits.cborElementsMax
    ) throws(StatementError) -> [CBOR] {
        guard case .array(let value) = try value(field) else { throw .wrongType(field: field) }
        guard value.count <= max else { throw .outOfRange(field: field) }
        return value
    }

    /// An array whose elements are byte strings.
    package mutating func byteStrings(
        _ field: Int64, max: Int = Limits.cborElementsMax
    ) throws(StatementError) -> [[UInt8]] {
        var strings: [[UInt8]] = []
        for element in try array(field, max: max) {
            guard case .bytes(let bytes) = element else { throw .wrongType(field: field) }
            strings.append(bytes)
        }
        return strings
    }

    package mutating func digest(_ field: Int64) throws(StatementError) -> Digest {
        guard let digest = Digest(try bytes(field)) else { throw .outOfRange(field: field) }
        return digest
    }

    package mutating func node(_ field: Int64) throws(StatementError) -> NodeID {
        guard let node = NodeID(try bytes(field)) else { throw .outOfRange(field: field) }
        return node
    }

    package mutating func mesh(_ field: Int64) throws(StatementError) -> MeshID {
        guard let mesh = MeshID(try bytes(field)) else { throw .outOfRange(field: field) }
        return mesh
    }

    /// Fails where the map has a field that was not read.
    package func finish() throws(StatementError) {
        guard read == map.entries.count else {
            // Which one: the reader knows its own fields, so the highest key is the best hint.
            throw .unknown(field: map.entries.last?.key ?? 0)
        }
    }
}
