/// A model as it is declared, in YAML or in the header of its own file: what comes before the
/// layers, the layers, and what training makes small.
package struct ModelDescription: Hashable, Sendable {
    /// What a record's values become before the first layer: a fixed function of that record.
    package enum FeatureMap: Hashable, Sendable {
        case none
        /// `ScatterNet`'s 3969 features, normalised in so many groups.
        case scatterNet(groups: Int)
    }

    package var name: String
    package var features: FeatureMap
    package var layers: [Layer]
    package var loss: Loss

    package init(name: String, features: FeatureMap = .none, layers: [Layer], loss: Loss) {
        self.name = name
        self.features = features
        self.layers = layers
        self.loss = loss
    }

    /// The model on records of this shape.
    package func model(input: TensorShape) throws(ModelError) -> Model {
        switch features {
        case .none: return try Model(input: input, layers: layers)
        case .scatterNet:
            guard input == .image(channels: 1, height: ScatterNet.side, width: ScatterNet.side)
            else { throw .invalidInput(input) }
            return try Model(input: .vector(ScatterNet.width), layers: layers)
        }
    }
}

extension ModelDescription {
    /// The models that have a name of their own.
    package enum BuiltIn: String, CaseIterable, Sendable {
        case softmax, mlp, cnn
        case scatterLinear = "scatter-linear"
    }

    /// `classes` outputs; a single number where there are none, then with squared error.
    package init(_ builtIn: BuiltIn, classes: Int?) {
        let head = Layer.dense(outputs: classes ?? 1)
        let loss = classes == nil ? Loss.squaredError : .crossEntropy
        let name = builtIn.rawValue
        switch builtIn {
        case .softmax: self.init(name: name, layers: [head], loss: loss)
        case .mlp:
            self.init(
                name: name,
                layers: [
                    .dense(outputs: 256), .activation(.relu), .dense(outputs: 128),
                    .activation(.relu), head,
                ], loss: loss)
        case .cnn:
            self.init(
                name: name,
                layers: [
                    .convolution(channels: 16, kernel: 8, stride: 2, padding: 3),
                    .activation(.tanh), .maxPool(size: 2, stride: 1),
                    .convolution(channels: 32, kernel: 4, stride: 2), .activation(.tanh),
                    .maxPool(size: 2, stride: 1), .dense(outputs: 32), .activation(.tanh), head,
                ], loss: loss)
        case .scatterLinear:
            self.init(
                name: name, features: .scatterNet(groups: ScatterNet.groups), layers: [head],
                loss: loss)
        }
    }
}

// MARK: - Reading and writing

extension ModelDescription {
    private enum LayerType: String, CaseIterable {
        case dense, convolution, relu, tanh
        case maxPool = "max-pool"
        case averagePool = "average-pool"
        case groupNorm = "group-norm"
        case batchNorm = "batch-norm"
        case embeddingBag = "embedding-bag"
    }

    /// Reads a declaration; throws all that is wrong with it. docs/DATA.md has every field.
    package init(_ declaration: DeclarationValue) throws(DeclarationError) {
        var reader = DeclarationReader(declaration)
        let name = reader.required("name", reader.text("name"))
        let features = reader.map("features") { features -> FeatureMap? in
            let type = features.required("type", features.text("type"))
            let groups = features.integer("groups", in: 0...81) ?? ScatterNet.groups
            guard type == "scatternet" else {
                if let type { features.fault("type", "is \(type), not scatternet") }
                return nil
            }
            guard groups == 0 || ScatterNet.channels.isMultiple(of: groups) else {
                features.fault("groups", "does not divide \(ScatterNet.channels)")
                return nil
            }
            return .scatterNet(groups: groups)
        }
        let layers = reader.required("layers", reader.maps("layers", Self.layer))
        let loss = reader.choice("loss", Loss.self) ?? .crossEntropy
        reader.refuseUnknown()
        guard let name, let layers else { throw DeclarationError(faults: reader.faults) }
        self = try reader.finish(
            ModelDescription(name: name, features: features ?? .none, layers: layers, loss: loss))
    }

    private static func layer(_ reader: inout DeclarationReader) -> Layer? {
        guard let type = reader.required("type", reader.choice("type", LayerType.self)) else {
            return nil
        }
        func size(_ field: String, in range: ClosedRange<Int> = 1...1 << 20) -> Int? {
            reader.required(field, reader.integer(field, in: range))
        }
        switch type {
        case .dense: return size("outputs").map { .dense(outputs: $0) }
        case .relu: return .activation(.relu)
        case .tanh: return .activation(.tanh)
        case .batchNorm:
            reader.fault(
                "type",
                "batch-norm mixes the records of a batch, so that no record's part can be "
                    + "bounded; use group-norm")
            return nil
        case .groupNorm: return size("groups").map { .groupNorm(groups: $0) }
        case .convolution:
            let channels = size("channels")
            let kernel = size("kernel", in: 1...64)
            let stride = reader.integer("stride", in: 1...64) ?? 1
            let padding = reader.integer("padding", in: 0...63) ?? 0
            guard let channels, let kernel else { return nil }
            return .convolution(
                channels: channels, kernel: kernel, stride: stride, padding: padding)
        case .maxPool, .averagePool:
            guard let window = size("size", in: 1...64) else { return nil }
            let stride = reader.integer("stride", in: 1...64) ?? window
            return type == .maxPool
                ? .maxPool(size: window, stride: stride)
                : .averagePool(size: window, stride: stride)
        case .embeddingBag:
            let vocabulary = size("vocabulary", in: 1...1 << 26)
            let width = size("width", in: 1...1 << 16)
            guard let vocabulary, let width else { return nil }
            return .embeddingBag(vocabulary: vocabulary, width: width)
        }
    }

    /// What `init(_:)` reads back to the same.
    package var declaration: DeclarationValue {
        var fields = [DeclarationValue.Field("name", .text(name))]
        if case .scatterNet(let groups) = features {
            fields.append(
                .init(
                    "features",
                    .map([
                        .init("type", .text("scatternet")),
                        .init("groups", .number(Double(groups))),
                    ])))
        }
        fields.append(.init("layers", .list(layers.map(Self.declaration))))
        fields.append(.init("loss", .text(loss.rawValue)))
        return .map(fields)
    }

    private static func declaration(_ layer: Layer) -> DeclarationValue {
        func fields(_ type: LayerType, _ sizes: [(String, Int)] = []) -> DeclarationValue {
            .map(
                [.init("type", .text(type.rawValue))]
                    + sizes.map { .init($0.0, .number(Double($0.1))) })
        }
        switch layer {
        case .dense(let outputs): return fields(.dense, [("outputs", outputs)])
        case .convolution(let channels, let kernel, let stride, let padding):
            return fields(
                .convolution,
                [
                    ("channels", channels), ("kernel", kernel), ("stride", stride),
                    ("padding", padding),
                ])
        case .maxPool(let size, let stride):
            return fields(.maxPool, [("size", size), ("stride", stride)])
        case .averagePool(let size, let stride):
            return fields(.averagePool, [("size", size), ("stride", stride)])
        case .activation(.relu): return fields(.relu)
        case .activation(.tanh): return fields(.tanh)
        case .groupNorm(let groups): return fields(.groupNorm, [("groups", groups)])
        case .embeddingBag(let vocabulary, let width):
            return fields(.embeddingBag, [("vocabulary", vocabulary), ("width", width)])
        case .batchNorm: return fields(.batchNorm)
        }
    }
}

// MARK: - Files

/// A model in a safetensors file, with its declaration in the header: `aegis.model` in the
/// metadata is the declaration as JSON, `aegis.input` the shape of a record.
package struct StoredModel: Hashable, Sendable {
    package let description: ModelDescription
    package let model: Model
    /// Of a record, before the feature map.
    package let input: TensorShape
    package let parameters: [Float]
    /// What it was trained on, by name.
    package let dataset: String?

    package init(
        description: ModelDescription, input: TensorShape, parameters: [Float], dataset: String?
    ) throws(ModelError) {
        model = try description.model(input: input)
        precondition(parameters.count == model.parameterCount)
        self.description = description
        self.input = input
        self.parameters = parameters
        self.dataset = dataset
    }

    package var bytes: [UInt8] {
        Safetensors.encode(
            model.tensors, values: parameters,
            metadata: [
                "format": "pt", "aegis.model": description.declaration.json,
                "aegis.input": input.declaration.json, "aegis.dataset": dataset ?? "",
            ])
    }

    /// Reads what `bytes` wrote. A file without a declaration, as a mesh commits them, is read
    /// with the one that is given.
    package init(
        _ bytes: [UInt8], description given: ModelDescription?, input givenInput: TensorShape?
    ) throws {
        let contents = try Safetensors.parse(bytes)
        let description: ModelDescription
        if let text = contents.metadata["aegis.model"] {
            description = try ModelDescription(try DeclarationValue(json: text))
        } else if let given {
            description = given
        } else {
            throw StoredModelError.noDeclaration
        }
        let input: TensorShape
        if let text = contents.metadata["aegis.input"] {
            input = try TensorShape(declaration: try DeclarationValue(json: text))
        } else if let givenInput {
            input = givenInput
        } else {
            throw StoredModelError.noDeclaration
        }
        let model = try description.model(input: input)
        guard contents.matches(model.tensors) else {
            throw StoredModelError.otherTensors(
                expected: model.parameterCount,
                actual: contents.tensors.reduce(0) { $0 + $1.declaration.count })
        }
        let values = bytes.withUnsafeBytes { contents.values(of: $0) }
        if let index = values.firstIndex(where: { !$0.isFinite }) {
            throw StoredModelError.notFinite(index: index)
        }
        self.description = description
        self.model = model
        self.input = input
        parameters = values
        let dataset = contents.metadata["aegis.dataset"]
        self.dataset = dataset?.isEmpty == true ? nil : dataset
    }
}

/// Why a file is not a model.
package enum StoredModelError: Error, Hashable, Sendable {
    /// The file has no `aegis.model`; the model's declaration must be given.
    case noDeclaration
    /// Its tensors are not those of its declaration.
    case otherTensors(expected: Int, actual: Int)
    case notFinite(index: Int)
    case invalidInput
}

extension TensorShape {
    package var declaration: DeclarationValue {
        switch self {
        case .vector(let count): .list([.number(Double(count))])
        case .image(let channels, let height, let width):
            .list([.number(Double(channels)), .number(Double(height)), .number(Double(width))])
        case .tokens: .text("tokens")
        }
    }

    package init(declaration: DeclarationValue) throws(StoredModelError) {
        if declaration == .text("tokens") {
            self = .tokens
            return
        }
        guard case .list(let values) = declaration else { throw .invalidInput }
        let extents = values.compactMap { value -> Int? in
            guard case .number(let number) = value else { return nil }
            return Int(exactly: number)
        }
        guard extents.count == values.count, extents.allSatisfy({ (1...1 << 20).contains($0) }),
            let shape = TensorShape(extents: extents)
        else { throw .invalidInput }
        self = shape
    }

    /// One extent is a vector, three are channels, rows and columns; two an image of one channel.
    package init?(extents: [Int]) {
        switch extents.count {
        case 1: self = .vector(extents[0])
        case 2: self = .image(channels: 1, height: extents[0], width: extents[1])
        case 3: self = .image(channels: extents[0], height: extents[1], width: extents[2])
        default: return nil
        }
    }
}
