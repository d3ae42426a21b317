import AegisLearning
import AegisStore
import Glibc

/// Reads IDX, NPY and NPZ.
struct ArrayReader {
    let reader: DatasetReader
    let schema: ArraySchema

    func read() throws -> DatasetContent {
        switch reader.description.source {
        case .idx:
            return DatasetContent(
                description: reader.description, train: try images("train"),
                test: try images("t10k"))
        case .npy(let features, let labels, let test):
            return try split(
                try pair(.init(features: features, labels: labels), npy),
                test: try test.map { try pair($0, npy) })
        case .npz(let file, let features, let labels, let test):
            let path = reader.path(file)
            guard access(path, R_OK) == 0 else { throw DataFileError.notFound(path) }
            let archive = try ZipArchive(path: path)
            func entry(_ name: String, _ use: Use) throws {
                let name = archive.names.contains(name) ? name : name + ".npy"
                try archive.read(name) { pull in try Self.feed(use, pull) }
            }
            return try split(
                try pair(.init(features: features, labels: labels), entry),
                test: try test.map { try pair($0, entry) })
        case .csv, .sqlite: preconditionFailure("a table is no array")
        }
    }

    // MARK: - IDX

    /// Images and labels of a part, `train` or `t10k`, plain or gzipped; those that `choose` names
    /// by the labels.
    func images(_ part: String, keeping choose: (([UInt8]) throws -> [Int])? = nil) throws
        -> Records
    {
        guard case .idx(let folder) = reader.description.source else {
            preconditionFailure("only a folder has parts")
        }
        let labels = try withSource(find("\(part)-labels-idx1-ubyte", in: reader.path(folder))) {
            pull in try IDXParser.labels(pull: pull)
        }
        let images = try find("\(part)-images-idx3-ubyte", in: reader.path(folder))
        let rows = try choose?(labels)
        let kept = try withSource(images) { try IDXParser.images(keeping: rows, pull: $0) }
        guard kept.pixelsPerImage == schema.width else {
            throw DatasetError.shape(
                expected: schema.shape, actual: [1, kept.rows, kept.columns])
        }
        return try Records(
            images: kept, labels: rows.map { $0.map { labels[$0] } } ?? labels,
            classes: reader.description.outputs, scaling: scaling)
    }

    private func find(_ name: String, in folder: String) throws -> String {
        for path in ["\(folder)/\(name).gz", "\(folder)/\(name)"] where access(path, R_OK) == 0 {
            return path
        }
        throw DataFileError.noArrayFile(folder: folder, name: name)
    }

    /// Whether all four files of a folder are there.
    func checkFiles() throws {
        guard case .idx(let folder) = reader.description.source else { return }
        for part in ["train", "t10k"] {
            for kind in ["images-idx3", "labels-idx1"] {
                _ = try find("\(part)-\(kind)-ubyte", in: reader.path(folder))
            }
        }
    }

    /// A byte as the declaration normalises it.
    private var scaling: FeatureScaling {
        FeatureScaling(
            scale: Float(1 / schema.spread), offset: Float(-schema.centre / schema.spread))
    }

    private func withSource<Value>(
        _ path: String, _ body: ((Int) throws -> [UInt8]) throws -> Value
    ) throws -> Value {
        var source = try FileSource.open(path)
        do { return try body { count in try source.read(atMost: count) } } catch {
            switch error {
            case let error as IDXError: throw DataFileError.notIDX(path, error)
            case let error as NPYError: throw DataFileError.notNPY(path, error)
            default: throw error
            }
        }
    }

    // MARK: - NumPy

    /// Looks at an array's header and says what to do with each of its values.
    private typealias Use = (NPYParser) throws -> (Double) throws -> Void

    private static func feed(_ use: Use, _ pull: (Int) throws -> [UInt8]) throws {
        let array = try NPYParser(pull: pull)
        let body = try use(array)
        try array.values(pull: pull, body: body)
    }

    private func npy(_ name: String, _ use: Use) throws {
        let path = reader.path(name)
        guard access(path, R_OK) == 0 else { throw DataFileError.notFound(path) }
        try withSource(path) { pull in try Self.feed(use, pull) }
    }

    private func pair(
        _ names: DatasetDescription.ArrayPair, _ open: (String, Use) throws -> Void
    ) throws -> (features: Records.Features, targets: [Float]) {
        var gathered = ArrayValues(schema)
        var count = 0
        try open(names.features) { array in
            let actual = Array(array.shape.dropFirst())
            guard let rows = array.shape.first, actual.reduce(1, *) == schema.width else {
                throw DatasetError.shape(expected: schema.shape, actual: actual)
            }
            count = rows
            try gathered.begin(array)
            return { value in try gathered.append(value) }
        }
        var targets: [Float] = []
        try open(names.labels) { array in
            guard array.count == count else {
                throw DatasetError.labelCount(features: count, labels: array.count)
            }
            targets.reserveCapacity(min(count, 1 << 24))
            return { value in targets.append(try target(value, row: targets.count + 1)) }
        }
        guard count > 0 else { throw DatasetError.empty }
        return (gathered.features(scaling), targets)
    }

    private func target(_ value: Double, row: Int) throws(DatasetError) -> Float {
        func fault(_ reason: DataFault.Reason) -> DatasetError {
            .faults(
                [DataFault(row: row, line: nil, column: "label", reason: reason)], total: 1)
        }
        switch schema.target {
        case .classes(let names):
            guard let label = Int(exactly: value), names.indices.contains(label) else {
                throw fault(.unknownLabel("\(value)"))
            }
            return Float(label)
        case .number(let low, let high):
            guard (low...high).contains(value) else {
                throw fault(.outOfBounds(value, min: low, max: high))
            }
            return Float(2 * (value - low) / (high - low) - 1)
        }
    }

    /// The declared split, where no test arrays are named.
    private func split(
        _ all: (features: Records.Features, targets: [Float]),
        test: (features: Records.Features, targets: [Float])?
    ) throws -> DatasetContent {
        let whole = try records(all)
        if let test {
            return DatasetContent(
                description: reader.description, train: whole, test: try records(test))
        }
        guard case .share = reader.description.split else {
            return DatasetContent(description: reader.description, train: whole, test: nil)
        }
        let (train, test) = reader.description.split.rows(count: whole.count)
        guard !train.isEmpty else { throw DatasetError.empty }
        guard !test.isEmpty else { throw DatasetError.noTestRecords }
        return DatasetContent(
            description: reader.description, train: try whole.keeping(train),
            test: try whole.keeping(test))
    }

    private func records(
        _ part: (features: Records.Features, targets: [Float])
    ) throws -> Records {
        try Records(
            features: part.features, targets: .of(part.targets, schema.target),
            inputs: schema.width)
    }
}

/// The values of an array as they come: bytes stay bytes.
private struct ArrayValues {
    private let schema: ArraySchema
    private var keepsBytes = false
    private var bytes: [UInt8] = []
    private var values: [Float] = []

    init(_ schema: ArraySchema) { self.schema = schema }

    mutating func begin(_ array: NPYParser) throws(DatasetError) {
        guard array.count <= DatasetReader.valuesMax else {
            throw .tooLarge(values: array.count, valuesMax: DatasetReader.valuesMax)
        }
        keepsBytes = array.element == .uint8
        // Memory follows the bytes that come, not the header's word.
        let reserved = min(array.count, 1 << 24)
        if keepsBytes { bytes.reserveCapacity(reserved) } else { values.reserveCapacity(reserved) }
    }

    mutating func append(_ value: Double) throws(DatasetError) {
        if keepsBytes {
            bytes.append(UInt8(value))
            return
        }
        let scaled = Float((value - schema.centre) / schema.spread)
        guard scaled.isFinite else {
            throw .faults(
                [
                    DataFault(
                        row: values.count / schema.width + 1, line: nil,
                        column: "value \(values.count % schema.width)",
                        reason: .notFinite("\(value)"))
                ], total: 1)
        }
        values.append(scaled)
    }

    consuming func features(_ scaling: FeatureScaling) -> Records.Features {
        keepsBytes ? .bytes(bytes, scaling) : .floats(values)
    }
}
