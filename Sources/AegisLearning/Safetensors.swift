/// Why bytes are not a safetensors file we read. Offsets count from the file's first byte.
package enum SafetensorsError: Error, Hashable, Sendable {
    case truncated(expected: Int, actual: Int)
    case headerTooLarge(bytes: UInt64)
    case malformedHeader(at: Int)
    case tooManyTensors
    case duplicateName(String)
    case missingField(tensor: String)
    /// Only little-endian float32 (F32) is read.
    case unsupportedType(tensor: String, type: String)
    /// The shape overflows, or its bytes are not those the offsets span.
    case shapeMismatch(tensor: String)
    /// Tensors overlap, leave a hole, or lie outside the file.
    case wrongOffsets(tensor: String)
    case trailingBytes(expected: Int, actual: Int)
}

/// The safetensors format: eight bytes of header length, a JSON header, the tensors' values. What
/// every tool for models reads, and nothing that can execute.
///
/// Written deterministically: tensors and metadata in the order given, the header padded with
/// spaces to a multiple of eight bytes, so that mapped values are aligned.
package enum Safetensors {
    /// Far above any model here; a bound on what a peer can make us parse.
    package static let headerBytesMax = 1 << 20
    package static let tensorsMax = 4096

    /// Everything before the values.
    package static func header(
        _ tensors: [TensorDeclaration], metadata: KeyValuePairs<String, String> = [:]
    ) -> [UInt8] {
        var fields: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.map { "\(JSONText.quoted($0.key)):\(JSONText.quoted($0.value))" }
            fields.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        var offset = 0
        for tensor in tensors {
            let end = offset + 4 * tensor.count
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            fields.append(
                "\(JSONText.quoted(tensor.name)):{\"dtype\":\"F32\",\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(offset),\(end)]}")
            offset = end
        }
        var text = Array("{\(fields.joined(separator: ","))}".utf8)
        while !text.count.isMultiple(of: 8) { text.append(UInt8(ascii: " ")) }
        precondition(text.count <= headerBytesMax, "our own headers are small")
        let length = UInt64(text.count)
        return (0..<8).map { UInt8(truncatingIfNeeded: length >> UInt64(8 * $0)) } + text
    }

    /// A whole file. `values` are the tensors' one after the other.
    package static func encode(
        _ tensors: [TensorDeclaration], values: [Float],
        metadata: KeyValuePairs<String, String> = [:]
    ) -> [UInt8] {
        precondition(
            tensors.reduce(0) { $0 + $1.count } == values.count, "values fill the tensors")
        var bytes = header(tensors, metadata: metadata)
        bytes.reserveCapacity(bytes.count + 4 * values.count)
        // Little-endian machines only, as all that Swift runs on are.
        values.withUnsafeBytes { bytes.append(contentsOf: $0) }
        return bytes
    }

    /// Reads and checks a file's header against its length; copies no values.
    package static func parse(_ file: UnsafeRawBufferPointer) throws(SafetensorsError) -> Contents {
        guard file.count >= 8 else { throw .truncated(expected: 8, actual: file.count) }
        let length = UInt64(littleEndian: file.loadUnaligned(as: UInt64.self))
        guard length <= UInt64(headerBytesMax) else { throw .headerTooLarge(bytes: length) }
        let valuesStart = 8 + Int(length)
        guard file.count >= valuesStart else {
            throw .truncated(expected: valuesStart, actual: file.count)
        }
        var reader = SafetensorsHeader(Array(file[8..<valuesStart]))
        let (tensors, metadata) = try reader.read()
        var end = 0
        for tensor in tensors.sorted(by: Contents.Tensor.precedes) {
            guard tensor.bytes.lowerBound == end else {
                throw .wrongOffsets(tensor: tensor.declaration.name)
            }
            end = tensor.bytes.upperBound
        }
        // `end` is at most what one tensor claims, below 2⁶², so the sum cannot overflow.
        guard file.count >= valuesStart + end else {
            throw .truncated(expected: valuesStart + end, actual: file.count)
        }
        guard file.count == valuesStart + end else {
            throw .trailingBytes(expected: valuesStart + end, actual: file.count)
        }
        return Contents(tensors: tensors, metadata: metadata, valuesStart: valuesStart)
    }

    package static func parse(_ file: [UInt8]) throws(SafetensorsError) -> Contents {
        let result = file.withUnsafeBytes { bytes in
            Result { () throws(SafetensorsError) in try parse(bytes) }
        }
        return try result.get()
    }

    /// What a file's header says.
    package struct Contents: Hashable, Sendable {
        package struct Tensor: Hashable, Sendable {
            package let declaration: TensorDeclaration
            /// Where its values lie, from `valuesStart`.
            package let bytes: Range<Int>

            /// By place, an empty tensor before what starts where it stands.
            static func precedes(_ left: Tensor, _ right: Tensor) -> Bool {
                (left.bytes.lowerBound, left.bytes.upperBound)
                    < (right.bytes.lowerBound, right.bytes.upperBound)
            }
        }
        /// In the header's order.
        package let tensors: [Tensor]
        package let metadata: [String: String]
        /// The offset of the first value in the file.
        package let valuesStart: Int

        /// Whether the file has exactly `tensors`, one after the other: then its values are the
        /// flat vector of a model.
        package func matches(_ declarations: [TensorDeclaration]) -> Bool {
            tensors.sorted(by: Tensor.precedes).map(\.declaration) == declarations
        }

        /// All values in the order they lie in the file.
        package func values(of file: UnsafeRawBufferPointer) -> [Float] {
            let count = (file.count - valuesStart) / 4
            return [Float](unsafeUninitializedCapacity: count) { values, initialized in
                UnsafeMutableRawBufferPointer(values).copyMemory(
                    from: UnsafeRawBufferPointer(
                        rebasing: file[valuesStart..<valuesStart + 4 * count]))
                initialized = count
            }
        }
    }
}
