/// Labelled records in memory: one byte a feature, so that 12,000 images of 28 × 28 are 9.4 MB.
package struct Records: Sendable {
    package let inputs: Int
    package let classes: Int
    package let labels: [UInt8]
    /// Record after record.
    let features: [UInt8]
    let scaling: FeatureScaling

    package var count: Int { labels.count }

    package init(
        features: [UInt8], labels: [UInt8], classes: Int,
        scaling: FeatureScaling = .centred
    ) throws(RecordsError) {
        guard !labels.isEmpty, features.count.isMultiple(of: labels.count), !features.isEmpty
        else { throw .countsDiffer(features: features.count, labels: labels.count) }
        if let index = labels.firstIndex(where: { Int($0) >= classes }) {
            throw .labelOutOfRange(index: index, label: labels[index])
        }
        self.features = features
        self.labels = labels
        self.classes = classes
        self.scaling = scaling
        inputs = features.count / labels.count
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

/// Why features and labels do not make records.
package enum RecordsError: Error, Hashable, Sendable {
    case countsDiffer(features: Int, labels: Int)
    case labelOutOfRange(index: Int, label: UInt8)
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
