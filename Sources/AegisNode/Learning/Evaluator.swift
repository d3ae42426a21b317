package import AegisAPI
package import AegisCore
import AegisData
import AegisLearning
package import AegisProtocol
package import AegisStore
import Synchronization

/// Measures a committed model on the test records that come with a data set. They are public: a
/// test set of private records would have to be charged.
package final class Evaluator: Sendable {
    private struct Key: Hashable {
        let dataset: String
        let features: ModelDescription.FeatureMap
    }

    private let declarations: [DatasetDeclaration]
    private let blobs: BlobStore
    private let threads: Int
    private let tests = Mutex<[Key: PublicTest?]>([:])

    package init(declarations: [DatasetDeclaration], blobs: BlobStore, threads: Int = 1) {
        self.declarations = declarations
        self.blobs = blobs
        self.threads = threads
    }

    convenience init(_ configuration: NodeConfiguration, blobs: BlobStore) {
        self.init(
            declarations: configuration.datasets, blobs: blobs,
            threads: configuration.threads ?? 1)
    }

    /// Nil for a run without training, or where this node has no such data set.
    package func evaluate(
        _ model: Digest, of specification: RunSpecification
    ) throws -> ModelQuality? {
        guard let shape = ModelShape(specification), let trained = shape.trained,
            let declaration = declarations.first(where: { $0.name == specification.dataset }),
            let test = try test(of: declaration, shape),
            trained.fits(test.records, loss: shape.loss)
        else { return nil }
        let parameters = try ModelFile.parameters(of: model, shape: shape, in: blobs)
        return ModelQuality(
            ModelMeasure(
                trained, parameters, on: test.records, loss: shape.loss, target: test.target,
                threads: threads))
    }

    private func test(
        of declaration: DatasetDeclaration, _ shape: ModelShape
    ) throws -> PublicTest? {
        try tests.withLock { tests in
            let key = Key(dataset: declaration.name, features: shape.features)
            if let known = tests[key] { return known }
            var read = try DatasetSource(declaration.source).publicTest()
            if let test = read {
                read =
                    shape.takes(test.records)
                    ? PublicTest(
                        records: try test.records.mapped(by: shape.features), target: test.target)
                    : nil
            }
            tests.updateValue(read, forKey: key)
            return read
        }
    }
}

extension ModelQuality {
    init(_ measure: ModelMeasure) {
        self.init(records: measure.count, loss: measure.loss)
        switch measure {
        case .classes(let metrics):
            (accuracy, auc) = (metrics.accuracy, metrics.auc)
            (f1, calibrationError) = (metrics.f1, metrics.calibrationError)
        case .number(let metrics, _): (rmse, mae, r2) = (metrics.rmse, metrics.mae, metrics.r2)
        }
    }
}
