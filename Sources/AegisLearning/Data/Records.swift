/// Records in memory with what is to be predicted of each. Private where they are trained on.
package struct Records: Sendable {
    package let features: Features
    package let targets: Targets
    package let count: Int
    /// Values of a record; 0 for tokens.
    package let inputs: Int

    /// What is known of each record, record after record.
    package enum Features: Sendable {
        /// One byte a value, so that 12,000 images of 28 × 28 are 9.4 MB.
        case bytes([UInt8], FeatureScaling)
        case floats([Float])
        /// Record i's tokens are `values[starts[i]..<starts[i + 1]]`; `starts` has one more entry
        /// than there are records. A negative token is padding and counts for nothing.
        case tokens(values: [Int32], starts: [Int])
    }

    /// What is to be predicted.
    package enum Targets: Sendable {
        /// A class below `count` for each record.
        case classes([UInt8], count: Int)
        /// `width` numbers for each record: 0 or 1 for binary cross-entropy, any for squared
        /// error.
        case values([Float], width: Int)
    }

    /// Values of images are ordered channel by channel, each row by row.
    package init(
        features: Features, targets: Targets, inputs: Int
    ) throws(RecordsError) {
        let count: Int
        let given: Int
        switch targets {
        case .classes(let labels, let classes):
            if let index = labels.firstIndex(where: { Int($0) >= classes }) {
                throw .labelOutOfRange(index: index, label: labels[index])
            }
            (count, given) = (labels.count, labels.count)
        case .values(let values, let width):
            if let index = values.firstIndex(where: { !$0.isFinite }) {
                throw .notFinite(index: index)
            }
            (count, given) = (width > 0 ? values.count / width : 0, values.count)
            guard width > 0, given == count * width else {
                throw .countsDiffer(features: 0, labels: given)
            }
        }
        try Self.check(features, count: count, inputs: inputs, given: given)
        self.features = features
        self.targets = targets
        self.count = count
        self.inputs = inputs
    }

    private static func check(
        _ features: Features, count: Int, inputs: Int, given: Int
    ) throws(RecordsError) {
        switch features {
        case .bytes(let bytes, _):
            guard inputs > 0, bytes.count == count * inputs, count > 0 else {
                throw .countsDiffer(features: bytes.count, labels: given)
            }
        case .floats(let values):
            guard inputs > 0, values.count == count * inputs, count > 0 else {
                throw .countsDiffer(features: values.count, labels: given)
            }
            if let index = values.firstIndex(where: { !$0.isFinite }) {
                throw .notFinite(index: index)
            }
        case .tokens(let values, let starts):
            guard starts.count == count + 1, count > 0, starts[0] == 0,
                starts[count] == values.count,
                zip(starts, starts.dropFirst()).allSatisfy({ $0 <= $1 })
            else { throw .countsDiffer(features: starts.count - 1, labels: given) }
        }
    }

    /// The class of each record; empty where numbers are predicted.
    package var labels: [UInt8] {
        if case .classes(let labels, _) = targets { labels } else { [] }
    }

    /// 0 where numbers are predicted.
    package var classes: Int {
        if case .classes(_, let count) = targets { count } else { 0 }
    }
}

extension Records {
    package init(
        features: [UInt8], labels: [UInt8], classes: Int,
        scaling: FeatureScaling = .centred
    ) throws(RecordsError) {
        guard !labels.isEmpty, features.count.isMultiple(of: labels.count), !features.isEmpty
        else { throw .countsDiffer(features: features.count, labels: labels.count) }
        try self.init(
            features: .bytes(features, scaling), targets: .classes(labels, count: classes),
            inputs: features.count / labels.count)
    }

    package init(
        images: IDXImages, labels: [UInt8], classes: Int, scaling: FeatureScaling = .centred
    ) throws(RecordsError) {
        guard images.count == labels.count else {
            throw .countsDiffer(features: images.pixels.count, labels: labels.count)
        }
        try self.init(
            features: images.pixels, labels: labels, classes: classes, scaling: scaling)
    }
}

/// Why features and targets do not make records.
package enum RecordsError: Error, Hashable, Sendable {
    case countsDiffer(features: Int, labels: Int)
    case labelOutOfRange(index: Int, label: UInt8)
    /// The first value that is infinite or not a number.
    case notFinite(index: Int)
}

/// A byte as a number: byte · scale + offset. Public constants, never measured on private data:
/// a mean of one's own records would have to be paid for.
package struct FeatureScaling: Hashable, Sendable {
    package let scale: Float
    package let offset: Float

    package init(scale: Float, offset: Float) {
        self.scale = scale
        self.offset = offset
    }

    /// [0, 1]
    package static let unit = FeatureScaling(scale: 1 / 255, offset: 0)
    /// Mean 0 and deviation 1 on Fashion-MNIST, by the figures everybody publishes with it.
    package static let fashionMNIST = FeatureScaling(
        scale: 1 / (255 * 0.353), offset: -0.286 / 0.353)
    /// [−1, 1]
    package static let centred = FeatureScaling(scale: 2 / 255, offset: -1)
}
