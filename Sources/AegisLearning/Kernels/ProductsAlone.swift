/// The matrix products of a model's dense layers and nothing else, as a training step calls them:
/// what a step is measured against.
package final class ProductsAlone {
    private struct Layer {
        let inputs: Int
        let outputs: Int
        let isFirst: Bool
        let values: Values
        let gradients: Values
        let weight: Values
        let sum: Values
    }

    private let rows: Int
    private let arena = Arena()
    private var layers: [Layer] = []

    /// With so many rows at once as training would have.
    package init(_ model: Model, batch: Int) {
        LinearAlgebra.prepare()
        rows = min(batch, Workspace.suitableRows(for: model, views: 1))
        var values = arena.floats(rows * (model.inputs ?? 0))
        for (index, layer) in model.layers.enumerated() {
            guard case .dense(let outputs) = layer, let inputs = model.shapes[index].count else {
                continue
            }
            layers.append(
                Layer(
                    inputs: inputs, outputs: outputs, isFirst: index == 0, values: values,
                    gradients: arena.floats(rows * outputs),
                    weight: arena.floats(inputs * outputs), sum: arena.floats(inputs * outputs)))
            values = arena.floats(rows * outputs)
        }
    }

    /// Those of so many records.
    package func run(records: Int) {
        for start in stride(from: 0, to: records, by: rows) {
            let m = min(rows, records - start)
            for layer in layers {
                LinearAlgebra.multiplyTransposed(
                    layer.values, layer.weight, into: layer.gradients, m: m, n: layer.outputs,
                    k: layer.inputs)
            }
            for layer in layers.reversed() {
                if !layer.isFirst {
                    LinearAlgebra.multiply(
                        layer.gradients, layer.weight, into: layer.values, m: m, n: layer.inputs,
                        k: layer.outputs)
                }
                LinearAlgebra.addTransposedProduct(
                    layer.gradients, layer.values, to: layer.sum, m: layer.outputs,
                    n: layer.inputs, k: m)
            }
        }
    }
}
