/// Why bytes are not the IDX file they should be. Offsets count uncompressed bytes.
package enum IDXError: Error, Hashable, Sendable {
    case notIDX(at: Int)
    /// Only unsigned bytes (type 0x08) are read.
    case unsupportedType(UInt8, at: Int)
    case wrongDimensions(expected: Int, actual: Int, at: Int)
    case tooLarge(at: Int)
    case truncated(at: Int)
    case trailingBytes(at: Int)
    case rowOutOfRange(row: Int, rows: Int)
    /// Rows are asked for in ascending order, each once.
    case rowsNotAscending(index: Int)
}

/// Images of equal size, one byte a pixel.
package struct IDXImages: Hashable, Sendable {
    package let rows: Int
    package let columns: Int
    /// Image after image, each row by row.
    package let pixels: [UInt8]

    package var pixelsPerImage: Int { rows * columns }
    package var count: Int { pixelsPerImage == 0 ? 0 : pixels.count / pixelsPerImage }
}

/// Reads the IDX format of MNIST and its kin from a stream of uncompressed bytes. Only the rows
/// that are asked for are kept: a node holds its own slice, never the file.
///
/// `pull` returns at most the bytes it is asked for, and none at the end. What it throws goes
/// through; what is wrong with the bytes is an `IDXError`.
package enum IDXParser {
    /// More items or bytes a row than any data set here has: a bound on what a header can claim.
    package static let itemsMax = 100_000_000
    package static let rowBytesMax = 1 << 20
    /// Memory taken on a header's word alone; beyond it memory grows with the bytes that come.
    private static let reservedBytesMax = 1 << 26

    package static func labels(
        keeping rows: [Int]? = nil, pull: (Int) throws -> [UInt8]
    ) throws -> [UInt8] {
        var stream = ByteStream()
        let dimensions = try header(&stream, dimensions: 1, pull)
        return try keep(rows, of: dimensions[0], bytesEach: 1, from: &stream, pull)
    }

    package static func images(
        keeping rows: [Int]? = nil, pull: (Int) throws -> [UInt8]
    ) throws -> IDXImages {
        var stream = ByteStream()
        let dimensions = try header(&stream, dimensions: 3, pull)
        let (size, overflow) = dimensions[1].multipliedReportingOverflow(by: dimensions[2])
        guard !overflow, size > 0, size <= rowBytesMax else { throw IDXError.tooLarge(at: 8) }
        let pixels = try keep(rows, of: dimensions[0], bytesEach: size, from: &stream, pull)
        return IDXImages(rows: dimensions[1], columns: dimensions[2], pixels: pixels)
    }

    private static func header(
        _ stream: inout ByteStream, dimensions: Int, _ pull: (Int) throws -> [UInt8]
    ) throws -> [Int] {
        guard try stream.byte(pull) == 0, try stream.byte(pull) == 0 else {
            throw IDXError.notIDX(at: 0)
        }
        let type = try stream.byte(pull)
        guard type == 0x08 else { throw IDXError.unsupportedType(type, at: 2) }
        let actual = Int(try stream.byte(pull))
        guard actual == dimensions else {
            throw IDXError.wrongDimensions(expected: dimensions, actual: actual, at: 3)
        }
        return try (0..<dimensions).map { _ in
            let start = stream.offset
            var value = 0
            for _ in 0..<4 { value = value << 8 | Int(try stream.byte(pull)) }
            guard value <= itemsMax else { throw IDXError.tooLarge(at: start) }
            return value
        }
    }

    private static func keep(
        _ rows: [Int]?, of count: Int, bytesEach: Int, from stream: inout ByteStream,
        _ pull: (Int) throws -> [UInt8]
    ) throws -> [UInt8] {
        var kept: [UInt8] = []
        guard let rows else {
            kept.reserveCapacity(min(count * bytesEach, reservedBytesMax))
            try stream.take(count * bytesEach, into: &kept, pull)
            try stream.end(pull)
            return kept
        }
        for (index, row) in rows.enumerated() {
            guard row >= 0, row < count else {
                throw IDXError.rowOutOfRange(row: row, rows: count)
            }
            if index > 0, row <= rows[index - 1] {
                throw IDXError.rowsNotAscending(index: index)
            }
        }
        kept.reserveCapacity(min(rows.count * bytesEach, reservedBytesMax))
        var next = 0
        for row in rows {
            try stream.skip((row - next) * bytesEach, pull)
            try stream.take(bytesEach, into: &kept, pull)
            next = row + 1
        }
        try stream.skip((count - next) * bytesEach, pull)
        try stream.end(pull)
        return kept
    }
}

/// The bytes behind a pull closure, with an offset; holds one chunk.
private struct ByteStream {
    private var chunk: ArraySlice<UInt8> = []
    private(set) var offset = 0
    private static let chunkBytes = 65_536

    mutating func byte(_ pull: (Int) throws -> [UInt8]) throws -> UInt8 {
        try fill(pull)
        offset += 1
        return chunk.removeFirst()
    }

    mutating func take(
        _ count: Int, into kept: inout [UInt8], _ pull: (Int) throws -> [UInt8]
    ) throws {
        var left = count
        while left > 0 {
            try fill(pull)
            let part = chunk.prefix(left)
            kept += part
            chunk = chunk.dropFirst(part.count)
            offset += part.count
            left -= part.count
        }
    }

    mutating func skip(_ count: Int, _ pull: (Int) throws -> [UInt8]) throws {
        var left = count
        while left > 0 {
            try fill(pull)
            let step = min(left, chunk.count)
            chunk = chunk.dropFirst(step)
            offset += step
            left -= step
        }
    }

    mutating func end(_ pull: (Int) throws -> [UInt8]) throws {
        guard try chunk.isEmpty && pull(1).isEmpty else {
            throw IDXError.trailingBytes(at: offset)
        }
    }

    private mutating func fill(_ pull: (Int) throws -> [UInt8]) throws {
        guard chunk.isEmpty else { return }
        chunk = try pull(Self.chunkBytes)[...]
        guard !chunk.isEmpty else { throw IDXError.truncated(at: offset) }
    }
}
