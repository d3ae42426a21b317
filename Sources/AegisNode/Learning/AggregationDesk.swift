package import AegisAPI
import AegisAggregation
package import AegisCore
import AegisCrypto
import AegisLearning
package import AegisProtocol
package import AegisStore

/// What every node computes for itself from the same bytes: the first model of a run, the
/// aggregate of a round, the model that follows. Called off the loop, on a worker thread.
package struct AggregationDesk: Sendable {
    private let blobs: BlobStore

    package init(blobs: BlobStore) { self.blobs = blobs }

    package func initialModel(_ specification: RunSpecification) throws -> ComputeResult {
        guard let shape = ModelShape(specification) else { throw DeskError.unsupportedModel }
        let values = shape.initialModel(seed: specification.training.seed)
        let model = try ModelFile.storeModel(values, shape: shape, in: blobs)
        return ComputeResult(aggregate: .zero, model: model)
    }

    /// The base model and every part's blob are in the store. Besides the result, whom the rule
    /// heard.
    package func aggregate(
        _ request: AggregateRequest
    ) throws -> (result: ComputeResult, explanation: RoundExplanation) {
        guard let shape = ModelShape(request.specification) else {
            throw DeskError.unsupportedModel
        }
        let declaration = request.specification.aggregation
        let aggregator = declaration.aggregator(seed: request.includedDigest)
        let aggregation = try withUpdates(of: request.parts[...], shape: shape, collected: []) {
            updates in
            try aggregator.aggregate(updates)
        }
        let aggregate = aggregation.values
        var model = try ModelFile.model(request.base, shape: shape, in: blobs)
        try shape.server.apply(aggregate, to: &model)
        let result = ComputeResult(
            aggregate: ModelFile.digest(of: aggregate, shape: shape),
            model: try ModelFile.storeModel(model, shape: shape, in: blobs))
        return (result, RoundExplanation(aggregation.explanation, rule: declaration.name))
    }

    /// Shape, finite values and norm of an update, the same verdict on every node.
    package func check(_ request: FetchRequest) throws {
        guard let shape = ModelShape(request.specification) else {
            throw DeskError.unsupportedModel
        }
        let bound =
            Double(request.specification.aggregation.updateNormMaxMillionths) / 1_000_000
        let check = IntakeCheck(parameterCount: shape.parameterCount, normMax: bound)
        try ModelFile.withValues(of: request.statement.blob.digest, shape: shape, in: blobs) {
            do { try check.check($0) } catch let error as IntakeError {
                throw UpdateFault(error)
            }
        }
    }

    /// Maps one blob after the other, so that no update is copied.
    private func withUpdates<Result>(
        of parts: ArraySlice<AggregateRequest.Part>, shape: ModelShape, collected: [NodeUpdate],
        _ body: ([NodeUpdate]) throws -> Result
    ) throws -> Result {
        guard let part = parts.first else { return try body(collected) }
        return try ModelFile.withValues(of: part.blob, shape: shape, in: blobs) { values in
            try withUpdates(
                of: parts.dropFirst(), shape: shape,
                collected: collected + [
                    NodeUpdate(node: part.node, weight: Double(part.weight), values: values)
                ], body)
        }
    }
}

package enum DeskError: Error, Hashable, Sendable {
    case unsupportedModel
    case baseModelMissing(Digest)
}

extension UpdateFault {
    init(_ error: IntakeError) {
        switch error {
        case .wrongShape(let expected, let actual):
            self = .wrongShape(expected: expected, actual: actual)
        case .notFinite(let index): self = .notFinite(index: index)
        case .normAboveBound(let norm, let bound):
            self = .normAboveBound(norm: norm, bound: bound)
        case .weightOutOfBounds(let weight, let max):
            self = .weightOutOfBounds(weight: weight, max: max)
        }
    }
}
