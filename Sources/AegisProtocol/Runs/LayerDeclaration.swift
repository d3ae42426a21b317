package import AegisCore

/// One layer of a declared model: its kind, and its sizes in the order of `Kind.sizes`. What they
/// mean and whether they fit each other, each node finds out for itself.
package struct LayerDeclaration: Hashable, Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        case dense, convolution, relu, tanh
        case maxPool = "max-pool"
        case averagePool = "average-pool"
        case groupNorm = "group-norm"
        case embeddingBag = "embedding-bag"

        /// The names of its sizes and what they may be.
        package var sizes: [(name: String, range: ClosedRange<Int>)] {
            switch self {
            case .dense: [("outputs", 1...65_536)]
            case .convolution:
                [
                    ("channels", 1...4096), ("kernel", 1...64), ("stride", 1...64),
                    ("padding", 0...63),
                ]
            case .relu, .tanh: []
            case .maxPool, .averagePool: [("size", 1...64), ("stride", 1...64)]
            case .groupNorm: [("groups", 1...4096)]
            case .embeddingBag: [("vocabulary", 2...1 << 20), ("width", 1...4096)]
            }
        }
    }

    package let kind: Kind
    package let sizes: [Int]

    /// Layers of one model.
    package static let countMax = 64

    /// Nil unless the sizes are those of the kind, each in its range.
    package init?(_ kind: Kind, _ sizes: [Int] = []) {
        guard sizes.count == kind.sizes.count,
            zip(sizes, kind.sizes).allSatisfy({ $1.range.contains($0) })
        else { return nil }
        self.kind = kind
        self.sizes = sizes
    }

    var cbor: CBOR { .array([.text(kind.rawValue)] + sizes.map { .integer(Int64($0)) }) }

    init(_ value: CBOR) throws(StatementError) {
        guard case .array(let elements) = value, elements.count <= 8,
            case .text(let name)? = elements.first, let kind = Kind(rawValue: name)
        else { throw .outOfRange(field: 4) }
        var sizes: [Int] = []
        for element in elements.dropFirst() {
            guard case .unsigned(let size) = element, size <= 1 << 20 else {
                throw .outOfRange(field: 4)
            }
            sizes.append(Int(size))
        }
        guard let layer = LayerDeclaration(kind, sizes) else { throw .outOfRange(field: 4) }
        self = layer
    }
}
