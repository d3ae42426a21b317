package import AegisCore
package import AegisProtocol

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
        let words = Self.mix(bytes, key: 0)
        guard let digest = Digest(words.flatMap(Self.bytes)) else {
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
        let key = mix(node.bytes, key: 1)[0]
        let words = mix(input, key: key)
        return (words + words).flatMap(bytes)
    }

    private static func bytes(_ word: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) }
    }

    private static func mix(_ bytes: [UInt8], key: UInt64) -> [UInt64] {
        var lanes: [UInt64] = [
            key ^ 0x6a09_e667_f3bc_c908, 0xbb67_ae85_84ca_a73b, 0x3c6e_f372_fe94_f82b,
            UInt64(bytes.count) ^ 0xa54f_f53a_5f1d_36f1,
        ]
        bytes.withUnsafeBytes { buffer in
            var offset = 0
            var lane = 0
            while offset < buffer.count {
                var word: UInt64 = 0
                if offset + 8 <= buffer.count {
                    word = UInt64(
                        littleEndian: buffer.loadUnaligned(
                            fromByteOffset: offset, as: UInt64.self))
                } else {
                    for index in offset..<buffer.count {
                        word |= UInt64(buffer[index]) << UInt64(8 * (index - offset))
                    }
                }
                lanes[lane] = round(lanes[lane] ^ word)
                lane = (lane + 1) & 3
                offset += 8
            }
        }
        for _ in 0..<2 {
            for lane in 0..<4 {
                lanes[lane] = round(lanes[lane] &+ lanes[(lane + 3) & 3])
            }
        }
        return lanes
    }

    private static func round(_ word: UInt64) -> UInt64 {
        var word = word
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return (word ^ (word >> 31)) &+ 0x9e37_79b9_7f4a_7c15
    }
}
