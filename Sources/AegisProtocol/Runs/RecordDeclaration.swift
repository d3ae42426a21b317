package import AegisCore

/// What a record of the run's data set is: every node computes the model's shape from it, whether
/// it has such records or not.
package struct RecordDeclaration: Hashable, Sendable {
    /// Features, or channels, rows and columns; nothing for a text, a bag of word numbers.
    package let shape: [Int]
    /// 1 where a number is predicted.
    package let classes: Int

    package static let extentMax = 1 << 20
    package static let valuesMax = 1 << 20
    package static let classesMax = 256

    /// Nil unless it has three extents at most, a million values at most, and 1 to 256 classes.
    package init?(shape: [Int], classes: Int) {
        guard (0...3).contains(shape.count),
            shape.allSatisfy({ (1...Self.extentMax).contains($0) }),
            shape.reduce(1, *) <= Self.valuesMax, (1...Self.classesMax).contains(classes)
        else { return nil }
        self.shape = shape
        self.classes = classes
    }

    private init(images side: Int, classes: Int) {
        shape = [1, side, side]
        self.classes = classes
    }

    /// Images in MNIST's layout, ten classes: what a run means that says nothing.
    package static let images = RecordDeclaration(images: 28, classes: 10)

    package var isText: Bool { shape.isEmpty }
    package var isNumber: Bool { classes == 1 }

    var cbor: CBOR {
        .fields([1: .array(shape.map { .integer(Int64($0)) }), 2: .integer(Int64(classes))])
    }

    init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        var shape: [Int] = []
        for extent in try fields.array(1, max: 3) {
            guard case .unsigned(let extent) = extent, extent <= Self.extentMax else {
                throw .outOfRange(field: 1)
            }
            shape.append(Int(extent))
        }
        let classes = try fields.count(2, in: 1...Self.classesMax)
        try fields.finish()
        guard let declaration = RecordDeclaration(shape: shape, classes: classes) else {
            throw .outOfRange(field: 1)
        }
        self = declaration
    }
}
