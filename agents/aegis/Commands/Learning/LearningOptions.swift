import AegisData
import AegisLearning
package import ArgumentParser
import Glibc

/// Which records a command works on.
package struct DatasetOptions: ParsableArguments {
    @Option(help: "fashion-mnist, or a declaration: FILE.yaml (docs/DATA.md).")
    package var dataset: String

    @Option(help: "Only slice I of N of the training records, counted from 0, as I/N.")
    package var slice: String?

    @Option(help: "How slices are cut: iid, or dirichlet:ALPHA for skewed labels.")
    package var partition: String = "iid"

    @Option(help: "Seed of the cut; public.")
    package var partitionSeed: UInt64 = 1

    package init() {}

    /// Reads the data set, and cuts the slice.
    func read(progress: (Int) -> Void = { _ in }) throws(Failure) -> DatasetContent {
        let content = try Failure.translating {
            try DatasetReader(named: dataset).read(progress: progress)
        }
        guard let slice else { return content }
        let parts = slice.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let index = Int(parts[0]), let count = Int(parts[1]),
            (1...10_000).contains(count), (0..<count).contains(index)
        else { throw Failure(.usage, "--slice is I/N with 0 <= I < N, not \(slice)") }
        let rows = try slices(of: content.train, count: count)[index]
        return try Failure.translating {
            DatasetContent(
                description: content.description, train: try content.train.keeping(rows),
                test: content.test)
        }
    }

    /// The rows of each of `count` slices.
    func slices(of records: Records, count: Int) throws(Failure) -> [[Int]] {
        let kind: Partition
        if partition == "iid" {
            kind = .uniform
        } else if partition.hasPrefix("dirichlet:"), let alpha = Double(partition.dropFirst(10)) {
            kind = .dirichlet(concentration: alpha)
        } else {
            throw Failure(.usage, "--partition is iid or dirichlet:ALPHA, not \(partition)")
        }
        let labels =
            records.labels.isEmpty ? [UInt8](repeating: 0, count: records.count) : records.labels
        return try Failure.translating {
            try kind.slices(labels: labels, nodes: count, seed: partitionSeed)
        }
    }
}

/// Which model, by name, by declaration or by file.
enum ModelChoice {
    static func description(
        _ name: String, dataset: DatasetDescription
    ) throws(Failure) -> ModelDescription {
        if let builtIn = ModelDescription.BuiltIn(rawValue: name) {
            let classes: Int? =
                if case .classes(let names) = dataset.target { names.count } else { nil }
            return ModelDescription(builtIn, classes: classes)
        }
        guard name.hasSuffix(".yaml") || name.hasSuffix(".yml") || name.hasSuffix(".json") else {
            let names = ModelDescription.BuiltIn.allCases.map(\.rawValue).joined(separator: ", ")
            throw Failure(.usage, "--model is \(names) or FILE.yaml, not \(name)")
        }
        return try Failure.translating {
            let text = String(decoding: try DatasetFile.contents(name), as: UTF8.self)
            return try ModelDescription(try YAMLTree.parse(text, path: name))
        }
    }

    /// What a record of this data set is to the model's first layer.
    static func input(
        _ description: ModelDescription, _ dataset: DatasetDescription
    ) throws(Failure) -> TensorShape {
        guard let input = dataset.input else {
            throw Failure(.invalidInput, "the data set's records fit no model")
        }
        return input
    }

    static func stored(_ path: String, architecture: ModelDescription?, input: TensorShape?)
        throws(Failure) -> StoredModel
    {
        try Failure.translating {
            try StoredModel(
                try DatasetFile.contents(path, bytesMax: 1 << 32), description: architecture,
                input: input)
        }
    }
}

extension Failure {
    /// Runs `body`; what is wrong with data, declarations and models comes out in words.
    static func translating<Value>(_ body: () throws -> Value) throws(Failure) -> Value {
        do { return try body() } catch let failure as Failure {
            throw failure
        } catch {
            guard let words = DataWords(error) else {
                throw Failure(.failure, "\(error)")
            }
            throw Failure(
                words.isMissing ? .notFound : .invalidInput, words.message,
                details: words.details, hint: words.hint)
        }
    }
}

/// A file that comes into being whole, and never over another one.
struct NewFile {
    let path: String
    private let replaces: Bool

    /// Looks before the work is done whether the file could be written after it.
    init(_ path: String, replacing: Bool) throws(Failure) {
        self.path = path
        replaces = replacing
        if !replacing, access(path, F_OK) == 0 {
            throw Failure(
                .cannotWrite, "\(path) exists", hint: "choose another name or give --overwrite")
        }
        let folder = DatasetFile.directory(of: path)
        guard access(folder, W_OK) == 0 else {
            throw Failure(.cannotWrite, "\(folder) can't be written")
        }
    }

    func write(_ bytes: [UInt8]) throws(Failure) {
        let partial = "\(path).partial-\(getpid())"
        let descriptor = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure }
        defer {
            close(descriptor)
            unlink(partial)
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw failure }
            rest = rest.dropFirst(written)
        }
        guard fsync(descriptor) == 0 else { throw failure }
        // A link never replaces; a rename does.
        guard (replaces ? rename(partial, path) : link(partial, path)) == 0 else { throw failure }
    }

    private var failure: Failure {
        errno == EEXIST
            ? Failure(.cannotWrite, "\(path) exists", hint: "nothing was written over it")
            : Failure(.cannotWrite, "\(path) can't be written: errno \(errno)")
    }
}
