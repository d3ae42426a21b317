import AegisLearning
import Foundation
import Testing

@Suite("safetensors")
struct SafetensorsTests {
    private let tensors = [
        TensorDeclaration(name: "layers.0.weight", shape: [2, 3]),
        TensorDeclaration(name: "layers.0.bias", shape: [2]),
        TensorDeclaration(name: "scalar", shape: []),
    ]
    private let values: [Float] = [1, -2, 0.5, .infinity, -0.0, 6, 7, 8, 9]

    private func file(_ header: String, values: Int) -> [UInt8] {
        let text = Array(header.utf8)
        return (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) } + text
            + [UInt8](repeating: 0, count: values)
    }

    private func error(_ header: String, values: Int) -> SafetensorsError? {
        do {
            _ = try Safetensors.parse(file(header, values: values))
            return nil
        } catch {
            return error
        }
    }

    @Test("what is written is read back, aligned, and the same bytes each time")
    func roundTrip() throws {
        let bytes = Safetensors.encode(
            tensors, values: values, metadata: ["format": "pt", "name \"ö\"\n": "\\"])
        let contents = try Safetensors.parse(bytes)
        #expect(contents.matches(tensors))
        #expect(contents.tensors.map(\.declaration) == tensors)
        #expect(contents.metadata == ["format": "pt", "name \"ö\"\n": "\\"])
        #expect(contents.valuesStart.isMultiple(of: 8))
        let read = bytes.withUnsafeBytes { contents.values(of: $0) }
        #expect(read.map(\.bitPattern) == values.map(\.bitPattern))
        #expect(
            bytes
                == Safetensors.encode(
                    tensors, values: values,
                    metadata: ["format": "pt", "name \"ö\"\n": "\\"]))
        #expect(!contents.matches(Array(tensors.reversed())))
        let empty = try Safetensors.parse(Safetensors.encode([], values: []))
        #expect(empty.tensors.isEmpty && empty.matches([]))
    }

    @Test("headers in another order, with spaces and escapes, are read")
    func foreign() throws {
        let header =
            #"{ "b\u0041\ud83d\ude00": {"shape":[1],"data_offsets":[4, 8],"dtype":"F32"},"#
            + #" "a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]} }  "#
        let contents = try Safetensors.parse(file(header, values: 8))
        #expect(contents.tensors.map(\.declaration.name) == ["bA😀", "a"])
        #expect(
            contents.matches([.init(name: "a", shape: [1]), .init(name: "bA😀", shape: [1])]))
    }

    @Test("hostile headers are refused with their reason")
    func hostile() {
        func tensor(_ shape: String, _ offsets: String, type: String = "F32") -> String {
            #"{"t":{"dtype":"\#(type)","shape":[\#(shape)],"data_offsets":[\#(offsets)]}}"#
        }
        #expect(error(tensor("1", "0,4"), values: 4) == nil)
        #expect(error(tensor("1", "0,4"), values: 5) != nil)
        #expect(error(tensor("1", "0,4"), values: 3) != nil)
        #expect(
            error(tensor("1", "0,4", type: "BF16"), values: 4)
                == .unsupportedType(tensor: "t", type: "BF16"))
        #expect(error(tensor("2", "0,4"), values: 4) == .shapeMismatch(tensor: "t"))
        #expect(error(tensor("1", "4,8"), values: 8) == .wrongOffsets(tensor: "t"))
        #expect(error(tensor("1", "8,4"), values: 8) == .wrongOffsets(tensor: "t"))
        #expect(
            error(tensor("4611686018427387904,4", "0,16"), values: 16) != nil)
        #expect(
            error(tensor("288230376151711743,288230376151711743", "0,16"), values: 16)
                == .shapeMismatch(tensor: "t"))
        #expect(
            error(tensor("99999999999999999999", "0,4"), values: 4) != nil)
        for shape in ["-1", "1.0", "1e0", "01", "", "1,", "[1]", "null"] {
            #expect(error(tensor(shape, "0,4"), values: 4) != nil || shape.isEmpty, "\(shape)")
        }
        #expect(error(tensor("1,1,1,1,1,1,1,1,1", "0,4"), values: 4) != nil)
        #expect(error(tensor("1", "0,4,8"), values: 4) != nil)
        #expect(error(tensor("1", "0"), values: 4) == .missingField(tensor: "t"))
        #expect(error(#"{"t":{"dtype":"F32","shape":[1]}}"#, values: 4) != nil)
        #expect(error(#"{"t":{}}"#, values: 4) != nil)
        #expect(error("[]", values: 0) != nil)
        #expect(error("", values: 0) != nil)
        #expect(error("{}{}", values: 0) != nil)
        #expect(error(#"{"\ud800":{}}"#, values: 0) != nil)
        #expect(error(#"{"__metadata__":{"a":1}}"#, values: 0) != nil)
        #expect(
            error(#"{"__metadata__":{"a":"1","a":"2"}}"#, values: 0) == .duplicateName("a"))
    }

    @Test("overlaps, holes and repeated names are refused")
    func layout() {
        func two(_ first: String, _ second: String, names: (String, String) = ("a", "b")) -> String
        {
            #"{"\#(names.0)":{"dtype":"F32","shape":[1],"data_offsets":[\#(first)]},"#
                + #""\#(names.1)":{"dtype":"F32","shape":[1],"data_offsets":[\#(second)]}}"#
        }
        #expect(error(two("0,4", "4,8"), values: 8) == nil)
        #expect(error(two("0,4", "0,4"), values: 4) == .wrongOffsets(tensor: "b"))
        #expect(error(two("0,4", "2,6"), values: 6) == .wrongOffsets(tensor: "b"))
        #expect(error(two("0,4", "8,12"), values: 12) == .wrongOffsets(tensor: "b"))
        #expect(
            error(two("0,4", "4,8", names: ("a", "a")), values: 8) == .duplicateName("a"))
    }

    @Test("short files and absurd header lengths are refused")
    func lengths() {
        for count in 0..<8 {
            #expect(
                throws: SafetensorsError.truncated(expected: 8, actual: count)
            ) { try Safetensors.parse([UInt8](repeating: 0, count: count)) }
        }
        #expect(throws: SafetensorsError.headerTooLarge(bytes: .max)) {
            try Safetensors.parse([UInt8](repeating: 0xff, count: 64))
        }
        let claimed: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0x80]
        #expect(throws: SafetensorsError.headerTooLarge(bytes: 1 << 63)) {
            try Safetensors.parse(claimed + Array("{}".utf8))
        }
        #expect(throws: SafetensorsError.truncated(expected: 1008, actual: 10)) {
            try Safetensors.parse([0xe8, 3, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d])
        }
    }

    @Test("no single changed byte of a header traps, nor any cut")
    func mutations() {
        let bytes = Safetensors.encode(tensors, values: values, metadata: ["format": "pt"])
        for index in bytes.indices {
            for mask in [1, 2, 4, 8, 16, 32, 64, 128] as [UInt8] {
                var changed = bytes
                changed[index] ^= mask
                _ = try? Safetensors.parse(changed)
            }
            #expect(throws: SafetensorsError.self) {
                try Safetensors.parse(Array(bytes.prefix(index)))
            }
        }
    }

    /// Reads a file as its specification says, with nothing of ours.
    private let python = """
        import json, struct, sys
        data = open(sys.argv[1], 'rb').read()
        (length,) = struct.unpack('<Q', data[:8])
        header = json.loads(data[8:8 + length])
        assert header.pop('__metadata__') == {'format': 'pt', 'name': 'äöü "x"'}
        body = data[8 + length:]
        for name, tensor in header.items():
            assert tensor['dtype'] == 'F32'
            start, end = tensor['data_offsets']
            values = struct.unpack('<%df' % ((end - start) // 4), body[start:end])
            print(name, tensor['shape'], values)
        """

    private static let hasPython = FileManager.default.isExecutableFile(atPath: "/usr/bin/python3")

    @Test("Python reads what we write", .enabled(if: hasPython))
    func readByPython() throws {
        let path = FileManager.default.temporaryDirectory
            .appending(path: "aegis-\(UUID().uuidString).safetensors")
        defer { try? FileManager.default.removeItem(at: path) }
        let finite: [Float] = [1, -2, 0.5, 4, -0.0, 6, 7, 8, 9]
        let bytes = Safetensors.encode(
            tensors, values: finite, metadata: ["format": "pt", "name": "äöü \"x\""])
        try Data(bytes).write(to: path)
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/python3")
        process.arguments = ["-c", python, path.path()]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(
            String(decoding: text, as: UTF8.self) == """
                layers.0.weight [2, 3] (1.0, -2.0, 0.5, 4.0, -0.0, 6.0)
                layers.0.bias [2] (7.0, 8.0)
                scalar [] (9.0,)

                """)
    }
}
