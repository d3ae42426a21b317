/// A data set as its owner declares it: where it lies, what its columns are, what is learned.
package struct DatasetDescription: Hashable, Sendable {
    package enum Source: Hashable, Sendable {
        /// Delimited text, plain or gzipped.
        case csv(path: String, delimiter: UInt8, missing: [String])
        /// A table, or what a query gives; opened for reading only.
        case sqlite(path: String, query: String)
        /// A folder in MNIST's layout: four IDX files, plain or gzipped.
        case idx(folder: String)
        /// NumPy arrays: features and labels as two `.npy` files.
        case npy(features: String, labels: String, test: ArrayPair?)
        /// The same in one `.npz` file, by the arrays' names.
        case npz(path: String, features: String, labels: String, test: ArrayPair?)
    }

    package struct ArrayPair: Hashable, Sendable {
        package let features: String
        package let labels: String

        package init(features: String, labels: String) {
            self.features = features
            self.labels = labels
        }
    }

    /// What the records of the source look like.
    package enum Content: Hashable, Sendable {
        case table(TableSchema)
        /// Numbers without names, all with the same declared bounds.
        case array(ArraySchema)
    }

    package let name: String
    package let source: Source
    package let content: Content
    package let split: TableSplit
    /// Whether a model may be measured on the test records for others to see. A figure about
    /// private records is a release of its own, which no noise protects.
    package let testIsPublic: Bool
    /// Words for people: where it comes from, what may be done with it.
    package let about: String?
    package let licence: String?
}

/// Arrays of numbers: images, signals, features that somebody computed.
package struct ArraySchema: Hashable, Sendable {
    /// Channels, rows, columns of an image; one extent for a plain vector.
    package let shape: [Int]
    /// What the values are subtracted and divided by: public constants.
    package let centre: Double
    package let spread: Double
    package let target: TableTarget.Kind

    package init(shape: [Int], centre: Double, spread: Double, target: TableTarget.Kind) {
        self.shape = shape
        self.centre = centre
        self.spread = spread
        self.target = target
    }

    package var width: Int { shape.reduce(1, *) }
}

extension DatasetDescription {
    package enum Limits {
        /// More features a record than any model here takes.
        package static let widthMax = 1 << 20
        package static let classesMax = 1 << 12
    }

    /// Fashion-MNIST in a folder, with the mean and deviation everybody publishes with it.
    package static func fashionMNIST(folder: String) -> DatasetDescription {
        DatasetDescription(
            name: "fashion-mnist", source: .idx(folder: folder),
            content: .array(
                ArraySchema(
                    shape: [1, 28, 28], centre: 0.286 * 255, spread: 0.353 * 255,
                    target: .classes([
                        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                        "Sneaker", "Bag", "Ankle boot",
                    ]))),
            split: .none, testIsPublic: true,
            about: "60,000 + 10,000 images of clothes, 28 × 28, ten classes",
            licence: "MIT")
    }

    package var outputs: Int {
        switch content {
        case .table(let schema): schema.target.outputs
        case .array(let schema): TableTarget(column: "", kind: schema.target).outputs
        }
    }

    package var target: TableTarget.Kind {
        switch content {
        case .table(let schema): schema.target.kind
        case .array(let schema): schema.target
        }
    }

    /// What a model's first layer is given for each record; nil where no model takes it.
    package var input: TensorShape? {
        switch content {
        case .table(let schema): schema.vocabulary == nil ? .vector(schema.width) : .tokens
        case .array(let schema): TensorShape(extents: schema.shape)
        }
    }
}
