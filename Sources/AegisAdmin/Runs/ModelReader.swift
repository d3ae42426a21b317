import AegisAPI
import AegisCore
import AegisProtocol

/// Reads which model a run trains.
struct ModelReader {
    static let expected =
        "softmax, cnn, scatter-linear, {kind: mlp, hidden: [128]}, {kind: layers, layers: […]} or "
        + "{kind: none, parameters: 1000000}"
    private static let kinds = ["softmax", "mlp", "cnn", "scatter-linear", "layers", "none"]

    let faults: FaultList

    func read(_ value: JSONValue) -> ModelDeclaration? {
        if value == .text("softmax") { return .softmax }
        if value == .text("cnn") { return .convolutional }
        if value == .text("scatter-linear") { return .scatterLinear }
        var fields = FieldReader(value, path: "model", faults: faults)
        guard case .object = value,
            let kind = fields.text(
                "kind", "softmax, mlp, cnn, scatter-linear, layers or none",
                where: Self.kinds.contains)
        else { return nil }
        var model: ModelDeclaration?
        switch kind {
        case "softmax": model = .softmax
        case "cnn": model = .convolutional
        case "scatter-linear": model = .scatterLinear
        case "mlp": model = hidden(&fields).map { .multilayerPerceptron(hidden: $0) }
        case "layers": model = layers(&fields).map { .layers($0) }
        default:
            model = fields.integer("parameters", in: 1...Limits.parametersMax)
                .map { .none(parameters: $0) }
        }
        fields.finish()
        return model
    }

    private func hidden(_ fields: inout FieldReader) -> [Int]? {
        let expected = "a list of 1 to 16 widths"
        guard let value = fields.value("hidden", expected) else { return nil }
        guard case .array(let list) = value, (1...16).contains(list.count) else {
            fields.fault("hidden", "must be \(expected), is \(FieldReader.shown(value))")
            return nil
        }
        var widths: [Int] = []
        for (index, element) in list.enumerated() {
            guard case .integer(let width) = element, (1...65_536).contains(width) else {
                fields.fault(
                    "hidden[\(index)]",
                    "must be a whole number from 1 to 65536, is \(FieldReader.shown(element))")
                continue
            }
            widths.append(Int(width))
        }
        return widths.count == list.count ? widths : nil
    }

    private func layers(_ fields: inout FieldReader) -> [LayerDeclaration]? {
        let most = LayerDeclaration.countMax
        let expected = "a list of 1 to \(most) layers"
        guard let value = fields.value("layers", expected) else { return nil }
        guard case .array(let list) = value, (1...most).contains(list.count) else {
            fields.fault("layers", "must be \(expected), is \(FieldReader.shown(value))")
            return nil
        }
        let layers = list.enumerated().compactMap { index, element in
            layer(element, path: "model.layers[\(index)]")
        }
        return layers.count == list.count ? layers : nil
    }

    private func layer(_ value: JSONValue, path: String) -> LayerDeclaration? {
        var fields = FieldReader(value, path: path, faults: faults)
        let types = LayerDeclaration.Kind.allCases.map(\.rawValue)
        guard case .object = value, let type = fields.optional("type") else {
            if case .object = value {
                fields.fault("type", "is missing; must be \(types.joined(separator: ", "))")
            }
            return nil
        }
        guard case .text(let name) = type, let kind = LayerDeclaration.Kind(rawValue: name) else {
            fields.fault(
                "type",
                type == .text("batch-norm")
                    ? "can't be batch-norm: it mixes the records of a batch, so that no record's "
                        + "part can be bounded; group-norm does not"
                    : "must be \(types.joined(separator: ", ")), is \(FieldReader.shown(type))")
            return nil
        }
        var sizes: [Int] = []
        for size in kind.sizes {
            let standard: Int? =
                switch (kind, size.name) {
                case (.convolution, "stride"): 1
                case (.convolution, "padding"): 0
                case (.maxPool, "stride"), (.averagePool, "stride"): sizes.first
                default: nil
                }
            if let value = fields.integer(size.name, in: size.range, default: standard) {
                sizes.append(value)
            }
        }
        fields.finish()
        return LayerDeclaration(kind, sizes)
    }
}
