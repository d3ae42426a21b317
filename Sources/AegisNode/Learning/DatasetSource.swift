import AegisData
import AegisLearning

/// Where a declared data set's records are: a folder in MNIST's layout, or a declaration of its
/// own.
enum DatasetSource: Sendable {
    case images(folder: String)
    case declared(path: String)

    init(_ source: String) {
        self =
            source.hasSuffix(".yaml") || source.hasSuffix(".yml")
            ? .declared(path: source) : .images(folder: source)
    }

    /// Whether it can be read at all: files are there, the declaration has no fault.
    func check() throws {
        switch self {
        case .images(let folder): _ = try DatasetFiles(source: folder)
        case .declared(let path): _ = try reader(path)
        }
    }

    /// The records this node's declaration gives it.
    func trainingRecords(slice: SliceDeclaration?) throws -> Records {
        switch self {
        case .images(let folder):
            return try DatasetFiles(source: folder).trainingRecords(slice: slice)
        case .declared(let path):
            let records = try content(path).train
            guard let slice else { return records }
            let partition: Partition =
                slice.dirichletAlpha.map { .dirichlet(concentration: $0) } ?? .uniform
            let rows = try partition.slices(
                labels: records.labels, nodes: slice.count, seed: slice.seed)[slice.index]
            return try records.keeping(rows)
        }
    }

    /// Nil where there are none, or where they are private: what a node tells the mesh about them
    /// would be a release that nobody paid for.
    func publicTestRecords() throws -> Records? {
        switch self {
        case .images(let folder): return try DatasetFiles(source: folder).testRecords()
        case .declared(let path):
            let reader = try reader(path)
            return reader.description.testIsPublic ? try content(path).test : nil
        }
    }

    private func reader(_ path: String) throws -> DatasetReader {
        do { return try DatasetReader(named: path) } catch {
            throw Self.explained(error, path)
        }
    }

    private func content(_ path: String) throws -> DatasetContent {
        do { return try DatasetReader(named: path).read() } catch {
            throw Self.explained(error, path)
        }
    }

    /// What is wrong, in words that name row and column.
    private static func explained(_ error: any Error, _ path: String) -> any Error {
        guard let words = DataWords(error) else { return error }
        let reason = ([words.message] + words.details.prefix(5)).joined(separator: "; ")
        return NodeError.dataset(path, reason: reason)
    }
}
