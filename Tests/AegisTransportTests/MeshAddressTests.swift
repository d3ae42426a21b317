import AegisCore
import AegisTransport
import Testing

@Suite("Addresses and batches")
struct MeshAddressTests {
    @Test("an address is a host and a port; IPv6 is in brackets")
    func addresses() {
        #expect(MeshAddress("127.0.0.1:8444") == MeshAddress(host: "127.0.0.1", port: 8444))
        #expect(MeshAddress("[::1]:1")?.host == "::1")
        #expect(MeshAddress("[::1]:1")?.description == "[::1]:1")
        #expect(MeshAddress("north.example:80")?.description == "north.example:80")
        for wrong in ["", ":1", "a", "a:", "a:65536", "a:-1", "::1:80", "[]:1", "a:1 "] {
            #expect(MeshAddress(wrong) == nil, "\(wrong)")
        }
    }

    @Test("a batch is an array of byte strings within the limits")
    func batches() throws {
        let statements: [[UInt8]] = [[1, 2], [], [3]]
        let body = StatementBatch.encode(statements)
        #expect(body == [0x83, 0x42, 1, 2, 0x40, 0x41, 3])
        #expect(try StatementBatch.decode(body) == statements)
        #expect(throws: StatementBatchError.notByteStrings) {
            try StatementBatch.decode([0x81, 0x01])
        }
        #expect(throws: StatementBatchError.tooMany(257)) {
            try StatementBatch.decode(
                StatementBatch.encode([[UInt8]](repeating: [], count: 257)))
        }
        let large = [UInt8](repeating: 0, count: Limits.statementBytesMax + 1)
        #expect(throws: StatementBatchError.statementTooLarge(byteCount: large.count)) {
            try StatementBatch.decode(StatementBatch.encode([large]))
        }
        #expect(throws: StatementBatchError.malformed(.trailingBytes(at: 1))) {
            try StatementBatch.decode([0x80, 0x80])
        }
        let full = [UInt8](repeating: 0, count: Limits.statementBytesMax)
        let count = StatementBatch.prefixCount(of: [full, full, full, full, full])
        #expect(count == 3)
        #expect(try StatementBatch.decode(StatementBatch.encode([full, full, full])).count == 3)
        #expect(StatementBatch.prefixCount(of: [[UInt8]](repeating: [1], count: 999)) == 256)
    }
}
