import AegisData
import AegisLearning

/// Where a declared data set's records are: a folder in MNIST's layout, or a declaration of its
/// own.
struct DatasetSource: Sendable {
    private let source: String

    init(_ source: String) { self.source = source }

    private var isDeclaration: Bool { source.hasSuffix(".yaml") || source.hasSuffix(".yml") }

    /// Whether it can be read at all: files are there, the declaration has no fault.
    func check() throws {
        try explaining { try $0.check() }
    }

    /// The records this node's declaration gives it.
    func trainingRecords(slice: SliceDeclaration?) throws -> Records {
        try explaining { reader in
            guard let slice else { return try reader.readTraining() }
            let partition: Partition =
                slice.dirichletAlpha.map { .dirichlet(concentration: $0) } ?? .uniform
            return try reader.readTraining { labels in
                try partition.slices(
                    labels: labels, nodes: slice.count, seed: slice.seed)[slice.index]
            }
        }
    }

    /// What a model is measured on, and what its outputs mean. Nil where there are no test records,
    /// or where they are private: what a node tells the mesh about them would be a release that
    /// nobody paid for.
    func publicTest() throws -> PublicTest? {
        try explaining { reader in
            guard reader.description.testIsPublic, let test = try reader.readTest() else {
                return nil
            }
            return PublicTest(records: test, target: reader.description.target)
        }
    }

    /// Says what is wrong in words that name row and column.
    private func explaining<Value>(_ body: (DatasetReader) throws -> Value) throws -> Value {
        do {
            return try body(
                isDeclaration
                    ? DatasetReader(named: source)
                    : DatasetReader(.fashionMNIST(folder: source), directory: "/"))
        } catch DataFileError.noArrayFile(let folder, let name) {
            throw NodeError.datasetFileMissing("\(folder)/\(name)")
        } catch {
            guard let words = DataWords(error) else { throw error }
            let reason = ([words.message] + words.details.prefix(5)).joined(separator: "; ")
            throw NodeError.dataset(source, reason: reason)
        }
    }
}

/// Test records that anybody may know of.
struct PublicTest: Sendable {
    var records: Records
    let target: TableTarget.Kind
}
