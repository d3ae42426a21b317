package import AegisCore

/// Versions of what nodes say to each other. A node speaks its newest and the one before, so a mesh
/// can be brought up to date node by node.
package enum MeshVersion {
    /// 1: statements, commits, blobs, joins. 2: says so (`MeshHello`), and is asked whether it is
    /// there.
    package static let spoken = 1...2
}

/// What a node says of itself to its peers (`GET /mesh/v1/hello`): which versions it speaks, and
/// what it can do beyond them. Fields that a later version adds are passed over; a node of version
/// 1 has no such path.
package struct MeshHello: Hashable, Sendable {
    package let spoken: ClosedRange<Int>
    /// What may be used once all that it is sent to can: in order, each once.
    package let capabilities: [String]
    /// The program's version, for people.
    package let program: String

    private static let capabilitiesMax = 64
    package static let bytesMax = 8 << 10

    package init(spoken: ClosedRange<Int>, capabilities: [String], program: String) {
        self.spoken = spoken
        self.capabilities = capabilities.sorted()
        self.program = program
    }

    /// Of a node that has no answer to this question.
    package static let ofVersionOne = MeshHello(spoken: 1...1, capabilities: [], program: "")

    package var encoded: [UInt8] {
        CBOR.fields([
            1: .unsigned(UInt64(spoken.upperBound)), 2: .unsigned(UInt64(spoken.lowerBound)),
            3: .array(capabilities.map { .text($0) }), 4: .text(program),
        ]).encoded
    }

    package init(decoding bytes: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: bytes)
        let newest = try fields.count(1, in: 1...Int(Int32.max))
        let oldest = try fields.count(2, in: 1...newest)
        guard case .array(let elements) = try fields.value(3),
            elements.count <= Self.capabilitiesMax
        else { throw .outOfRange(field: 3) }
        var capabilities: [String] = []
        for element in elements {
            guard case .text(let word) = element, word.utf8.count <= Limits.nameBytesMax else {
                throw .outOfRange(field: 3)
            }
            capabilities.append(word)
        }
        self.init(
            spoken: oldest...newest, capabilities: capabilities, program: try fields.text(4))
    }

    /// The newest version that both speak; nil where there is none.
    package func common(with other: ClosedRange<Int>) -> Int? {
        let newest = min(spoken.upperBound, other.upperBound)
        return newest >= max(spoken.lowerBound, other.lowerBound) ? newest : nil
    }
}
