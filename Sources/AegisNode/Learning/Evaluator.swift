import AegisCore
import AegisLearning
import AegisProtocol
import AegisStore
import Synchronization

/// Measures a committed model on the test records that come with a data set. They are public: a
/// test set of private records would have to be charged.
final class Evaluator: Sendable {
    private let declarations: [DatasetDeclaration]
    private let blobs: BlobStore
    private let records = Mutex<[String: Records?]>([:])

    init(declarations: [DatasetDeclaration], blobs: BlobStore) {
        self.declarations = declarations
        self.blobs = blobs
    }

    /// Nil for a run without training, or where this node has no such data set.
    func evaluate(_ model: Digest, of specification: RunSpecification) throws -> Evaluation? {
        guard let shape = ModelShape(specification), let trained = shape.trained,
            let declaration = declarations.first(where: { $0.name == specification.dataset })
        else { return nil }
        let test = try records.withLock { records in
            if let known = records[declaration.name] { return known }
            let read = try DatasetSource(declaration.source).publicTestRecords()
            records.updateValue(read, forKey: declaration.name)
            return read
        }
        guard let test, trained.fits(test, loss: .crossEntropy) else { return nil }
        let parameters = try ModelFile.parameters(of: model, shape: shape, in: blobs)
        return trained.evaluate(parameters, on: test)
    }
}
