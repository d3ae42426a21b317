package import AegisCore
import AegisProtocol

/// Stand-ins that are fast, not strong: nobody in a simulation forges, so a keyed sum is as good as
/// a signature, and a good mixer as good as SHA-256.
package struct SymbolicCryptography: SimulationCryptography {
    package init() {}

    package func node(_ number: UInt8) -> NodeID {
        guard let node = NodeID(Array(repeating: number, count: 32)) else {
            preconditionFailure("thirty-two bytes")
        }
        return node
    }

    package func digest(_ bytes: [UInt8]) -> Digest {
        guard let digest = Digest(Self.mix(bytes, key: 0).bytes) else {
            preconditionFailure("four words are 32 bytes")
        }
        return digest
    }

    package func verify(_ envelope: SignedEnvelope) -> Verified<[UInt8]>? {
        guard Self.signature(of: envelope.sender, envelope.signatureInput) == envelope.signature
        else { return nil }
        return Verified(verifiedFrom: envelope.sender, envelope.unverifiedPayload)
    }

    package func sign(
        _ type: StatementType, from node: NodeID, payload: [UInt8]
    ) -> SignedEnvelope {
        SignedEnvelope(type, from: node, payload: payload) { Self.signature(of: node, $0) }
    }

    private static func signature(of node: NodeID, _ input: [UInt8]) -> [UInt8] {
        let bytes = mix(input, key: mix(node.bytes, key: 1).first).bytes
        return bytes + bytes
    }

    private static func mix(_ bytes: [UInt8], key: UInt64) -> Lanes {
        var lanes = Lanes(key: key, count: bytes.count)
        bytes.withUnsafeBytes { buffer in
            var offset = 0
            while offset + 32 <= buffer.count {
                lanes.first = round(lanes.first ^ word(of: buffer, at: offset))
                lanes.second = round(lanes.second ^ word(of: buffer, at: offset + 8))
                lanes.third = round(lanes.third ^ word(of: buffer, at: offset + 16))
                lanes.fourth = round(lanes.fourth ^ word(of: buffer, at: offset + 24))
                offset += 32
            }
            if offset < buffer.count { lanes.first = absorbed(lanes.first, buffer, offset) }
            if offset + 8 < buffer.count {
                lanes.second = absorbed(lanes.second, buffer, offset + 8)
            }
            if offset + 16 < buffer.count {
                lanes.third = absorbed(lanes.third, buffer, offset + 16)
            }
            if offset + 24 < buffer.count {
                lanes.fourth = absorbed(lanes.fourth, buffer, offset + 24)
            }
        }
        for _ in 0..<2 {
            lanes.first = round(lanes.first &+ lanes.fourth)
            lanes.second = round(lanes.second &+ lanes.first)
            lanes.third = round(lanes.third &+ lanes.second)
            lanes.fourth = round(lanes.fourth &+ lanes.third)
        }
        return lanes
    }

    private static func word(of buffer: UnsafeRawBufferPointer, at offset: Int) -> UInt64 {
        UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The lane with the next word, or what is left of it.
    private static func absorbed(
        _ lane: UInt64, _ buffer: UnsafeRawBufferPointer, _ offset: Int
    ) -> UInt64 {
        guard offset + 8 > buffer.count else { return round(lane ^ word(of: buffer, at: offset)) }
        var word: UInt64 = 0
        for index in offset..<buffer.count {
            word |= UInt64(buffer[index]) << UInt64(8 * (index - offset))
        }
        return round(lane ^ word)
    }

    private static func round(_ word: UInt64) -> UInt64 {
        word.mixed &+ 0x9e37_79b9_7f4a_7c15
    }
}

/// Four words that are mixed side by side.
private struct Lanes {
    var first: UInt64
    var second: UInt64 = 0xbb67_ae85_84ca_a73b
    var third: UInt64 = 0x3c6e_f372_fe94_f82b
    var fourth: UInt64

    init(key: UInt64, count: Int) {
        first = key ^ 0x6a09_e667_f3bc_c908
        fourth = UInt64(count) ^ 0xa54f_f53a_5f1d_36f1
    }

    /// Each word with its least byte first.
    var bytes: [UInt8] {
        Array(unsafeUninitializedCapacity: 32) { buffer, count in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            raw.storeBytes(of: first.littleEndian, toByteOffset: 0, as: UInt64.self)
            raw.storeBytes(of: second.littleEndian, toByteOffset: 8, as: UInt64.self)
            raw.storeBytes(of: third.littleEndian, toByteOffset: 16, as: UInt64.self)
            raw.storeBytes(of: fourth.littleEndian, toByteOffset: 24, as: UInt64.self)
            count = 32
        }
    }
}
