/// Reads the one JSON form a safetensors header has; anything else is refused where it stands.
struct SafetensorsHeader {
    private var json: JSONText

    init(_ bytes: [UInt8]) { json = JSONText(bytes) }

    mutating func read() throws(SafetensorsError) -> (
        tensors: [Safetensors.Contents.Tensor], metadata: [String: String]
    ) {
        var tensors: [Safetensors.Contents.Tensor] = []
        var metadata: [String: String] = [:]
        var names: Set<String> = []
        // The format wants the object at once; spaces may only follow it.
        try json.expect("{")
        if !json.accept("}") {
            repeat {
                let name = try json.string()
                guard names.insert(name).inserted else { throw .duplicateName(name) }
                try json.expect(":")
                if name == "__metadata__" {
                    metadata = try readMetadata()
                } else {
                    guard tensors.count < Safetensors.tensorsMax else { throw .tooManyTensors }
                    tensors.append(try readTensor(name))
                }
            } while json.accept(",")
            try json.expect("}")
        }
        try json.end()
        return (tensors, metadata)
    }

    private mutating func readMetadata() throws(SafetensorsError) -> [String: String] {
        var metadata: [String: String] = [:]
        try json.expect("{")
        if json.accept("}") { return metadata }
        repeat {
            let key = try json.string()
            try json.expect(":")
            guard metadata.updateValue(try json.string(), forKey: key) == nil else {
                throw .duplicateName(key)
            }
        } while json.accept(",")
        try json.expect("}")
        return metadata
    }

    private mutating func readTensor(
        _ name: String
    ) throws(SafetensorsError) -> Safetensors.Contents.Tensor {
        var type: String?
        var shape: [Int]?
        var offsets: [Int]?
        try json.expect("{")
        repeat {
            let field = try json.string()
            try json.expect(":")
            switch field {
            case "dtype" where type == nil: type = try json.string()
            case "shape" where shape == nil: shape = try json.numbers(max: 8)
            case "data_offsets" where offsets == nil: offsets = try json.numbers(max: 2)
            default: throw .malformedHeader(at: 8 + json.offset)
            }
        } while json.accept(",")
        try json.expect("}")
        guard let type, let shape, let offsets, offsets.count == 2 else {
            throw .missingField(tensor: name)
        }
        guard type == "F32" else { throw .unsupportedType(tensor: name, type: type) }
        guard offsets[0] <= offsets[1] else { throw .wrongOffsets(tensor: name) }
        var size = 4
        for extent in shape {
            let (product, overflow) = size.multipliedReportingOverflow(by: extent)
            guard !overflow else { throw .shapeMismatch(tensor: name) }
            size = product
        }
        guard size == offsets[1] - offsets[0] else { throw .shapeMismatch(tensor: name) }
        return .init(
            declaration: TensorDeclaration(name: name, shape: shape),
            bytes: offsets[0]..<offsets[1])
    }
}

/// As much of JSON (RFC 8259) as such a header needs: strings and whole numbers.
struct JSONText {
    let bytes: [UInt8]
    var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\0"..<" ":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    mutating func accept(_ character: Character) -> Bool {
        skipSpace()
        guard offset < bytes.count, bytes[offset] == character.asciiValue else { return false }
        offset += 1
        return true
    }

    mutating func expect(_ character: Character) throws(SafetensorsError) {
        guard accept(character) else { throw malformed }
    }

    mutating func end() throws(SafetensorsError) {
        skipSpace()
        guard offset == bytes.count else { throw malformed }
    }

    mutating func numbers(max count: Int) throws(SafetensorsError) -> [Int] {
        var numbers: [Int] = []
        try expect("[")
        if accept("]") { return numbers }
        repeat {
            guard numbers.count < count else { throw malformed }
            numbers.append(try number())
        } while accept(",")
        try expect("]")
        return numbers
    }

    /// A whole number below 2⁶², without sign, fraction, exponent or leading zero.
    private mutating func number() throws(SafetensorsError) -> Int {
        skipSpace()
        let start = offset
        var value = 0
        while offset < bytes.count, (0x30...0x39).contains(bytes[offset]) {
            guard value < 1 << 58 else { throw malformed }
            value = value * 10 + Int(bytes[offset] - 0x30)
            offset += 1
        }
        guard offset > start, bytes[start] != 0x30 || offset == start + 1 else {
            throw malformed
        }
        return value
    }

    mutating func string() throws(SafetensorsError) -> String {
        try expect("\"")
        var text: [UInt8] = []
        while offset < bytes.count {
            let byte = bytes[offset]
            offset += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw malformed
                }
                return string
            case UInt8(ascii: "\\"): text += Array(try escaped().utf8)
            case 0..<0x20: throw malformed
            default: text.append(byte)
            }
        }
        throw malformed
    }

    private mutating func escaped() throws(SafetensorsError) -> String {
        guard offset < bytes.count else { throw malformed }
        let byte = bytes[offset]
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
            return String(UnicodeScalar(byte))
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let high = try hexadecimal()
            if let scalar = UnicodeScalar(high) { return String(scalar) }
            // A surrogate pair, or nothing.
            guard (0xd800..<0xdc00).contains(high), offset + 1 < bytes.count,
                bytes[offset] == UInt8(ascii: "\\"), bytes[offset + 1] == UInt8(ascii: "u")
            else { throw malformed }
            offset += 2
            let low = try hexadecimal()
            guard (0xdc00..<0xe000).contains(low),
                let scalar = UnicodeScalar(0x10000 + (high - 0xd800) << 10 + (low - 0xdc00))
            else { throw malformed }
            return String(scalar)
        default: throw malformed
        }
    }

    private mutating func hexadecimal() throws(SafetensorsError) -> UInt32 {
        guard offset + 4 <= bytes.count else { throw malformed }
        var value: UInt32 = 0
        for byte in bytes[offset..<offset + 4] {
            guard let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                throw malformed
            }
            value = value << 4 | UInt32(digit)
        }
        offset += 4
        return value
    }

    mutating func skipSpace() {
        while offset < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[offset]) {
            offset += 1
        }
    }

    /// The header starts after the eight bytes of its length.
    var malformed: SafetensorsError { .malformedHeader(at: 8 + offset) }
}
