import AegisLearning
import AegisStore
import Glibc

/// The four IDX files of a data set in MNIST's layout, plain or gzipped.
struct DatasetFiles: Sendable {
    let trainImages: String
    let trainLabels: String
    let testImages: String
    let testLabels: String

    init(source: String) throws(NodeError) {
        func find(_ name: String) throws(NodeError) -> String {
            for path in ["\(source)/\(name).gz", "\(source)/\(name)"]
            where access(path, R_OK) == 0 {
                return path
            }
            throw .datasetFileMissing("\(source)/\(name)")
        }
        trainImages = try find("train-images-idx3-ubyte")
        trainLabels = try find("train-labels-idx1-ubyte")
        testImages = try find("t10k-images-idx3-ubyte")
        testLabels = try find("t10k-labels-idx1-ubyte")
    }

    /// The records this node's declaration gives it.
    func trainingRecords(slice: SliceDeclaration?) throws -> Records {
        let labels = try Self.labels(trainLabels, keeping: nil)
        guard let slice else {
            return try Records(
                images: try Self.images(trainImages, keeping: nil), labels: labels,
                classes: Self.classes, scaling: Self.scaling)
        }
        let partition: Partition =
            slice.dirichletAlpha.map { .dirichlet(concentration: $0) } ?? .uniform
        let rows = try partition.slices(
            labels: labels, nodes: slice.count, seed: slice.seed)[slice.index]
        return try Records(
            images: try Self.images(trainImages, keeping: rows), labels: rows.map { labels[$0] },
            classes: Self.classes, scaling: Self.scaling)
    }

    func testRecords() throws -> Records {
        try Records(
            images: try Self.images(testImages, keeping: nil),
            labels: try Self.labels(testLabels, keeping: nil), classes: Self.classes,
            scaling: Self.scaling)
    }

    static let classes = 10
    /// Public constants, the same on every node.
    private static let scaling = FeatureScaling.fashionMNIST

    private static func labels(_ path: String, keeping rows: [Int]?) throws -> [UInt8] {
        try withSource(path) { pull in try IDXParser.labels(keeping: rows, pull: pull) }
    }

    private static func images(_ path: String, keeping rows: [Int]?) throws -> IDXImages {
        try withSource(path) { pull in try IDXParser.images(keeping: rows, pull: pull) }
    }

    private static func withSource<Result>(
        _ path: String, _ body: ((Int) throws -> [UInt8]) throws -> Result
    ) throws -> Result {
        if path.hasSuffix(".gz") {
            var source = try GzipSource(path: path)
            return try body { count in try source.read(atMost: count) }
        }
        guard let file = fopen(path, "rb") else { throw NodeError.datasetFileMissing(path) }
        defer { fclose(file) }
        return try body { count in
            [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
                initialized = fread(buffer.baseAddress, 1, count, file)
            }
        }
    }
}
