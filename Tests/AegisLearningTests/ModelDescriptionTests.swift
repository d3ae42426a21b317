import AegisLearning
import Testing

@Suite("Declared models and their files")
struct ModelDescriptionTests {
    private static let image = TensorShape.image(channels: 1, height: 28, width: 28)

    @Test("every built-in model is read back from its declaration and its file")
    func builtIn() throws {
        for name in ModelDescription.BuiltIn.allCases {
            let description = ModelDescription(name, classes: 10)
            let json = description.declaration.json
            #expect(try ModelDescription(try DeclarationValue(json: json)) == description)
            let model = try description.model(input: Self.image)
            let stored = try StoredModel(
                description: description, input: Self.image,
                parameters: model.initialParameters(seed: 3), dataset: "d")
            #expect(try StoredModel(stored.bytes, description: nil, input: nil) == stored)
        }
        #expect(
            try ModelDescription(.mlp, classes: 10).model(input: Self.image).parameterCount
                == 235_146)
        #expect(
            try ModelDescription(.cnn, classes: 10).model(input: Self.image).parameterCount
                == 26_010)
        #expect(
            try ModelDescription(.softmax, classes: 10).model(input: Self.image).parameterCount
                == 7_850)
    }

    @Test("every kind of layer is read back")
    func layers() throws {
        let description = ModelDescription(
            name: "all",
            layers: [
                .convolution(channels: 4, kernel: 3, stride: 1, padding: 1), .groupNorm(groups: 2),
                .activation(.relu), .maxPool(size: 2, stride: 2), .averagePool(size: 2, stride: 1),
                .dense(outputs: 3), .activation(.tanh), .dense(outputs: 1),
            ], loss: .binaryCrossEntropy)
        let json = description.declaration.json
        #expect(try ModelDescription(try DeclarationValue(json: json)) == description)
        let text = ModelDescription(
            name: "text", layers: [.embeddingBag(vocabulary: 100, width: 8), .dense(outputs: 2)],
            loss: .crossEntropy)
        #expect(try ModelDescription(try DeclarationValue(json: text.declaration.json)) == text)
        #expect(try text.model(input: .tokens).parameterCount == 818)
    }

    private func faults(_ json: String) -> [String] {
        do {
            _ = try ModelDescription(try DeclarationValue(json: json))
            return []
        } catch let error as DeclarationError {
            return error.faults.map { "\($0.field): \($0.message)" }
        } catch { return ["\(error)"] }
    }

    @Test("faults by field; batch normalisation is refused with its reason")
    func malformed() {
        #expect(faults("{}") == ["name: is missing", "layers: is missing"])
        let batch = faults(#"{"name": "b", "layers": [{"type": "batch-norm"}]}"#)
        #expect(batch.count == 1 && batch[0].hasPrefix("layers[0].type: batch-norm mixes"))
        #expect(
            faults(
                #"{"name": "b", "layers": [{"type": "dense", "outputs": 0, "x": 1}], "loss": "l"}"#)
                == [
                    "layers[0].outputs: is 0, not in 1 to 1048576",
                    "layers[0].x: has no meaning here",
                    "loss: is l, not one of cross-entropy, binary-cross-entropy, squared-error",
                ])
        #expect(faults(#"{"name": "b", "layers": 3}"#) == ["layers: is a number, not a list"])
    }

    @Test("a file that is not the model's is refused")
    func files() throws {
        let description = ModelDescription(.softmax, classes: 2)
        let model = try description.model(input: .vector(3))
        let plain = Safetensors.encode(
            model.tensors, values: [Float](repeating: 1, count: 8), metadata: ["format": "pt"])
        #expect(throws: StoredModelError.noDeclaration) {
            try StoredModel(plain, description: nil, input: .vector(3))
        }
        #expect(
            try StoredModel(plain, description: description, input: .vector(3)).parameters.count
                == 8)
        #expect(throws: StoredModelError.otherTensors(expected: 10, actual: 8)) {
            try StoredModel(plain, description: description, input: .vector(4))
        }
        let broken = Safetensors.encode(
            model.tensors, values: [Float](repeating: .nan, count: 8), metadata: ["format": "pt"])
        #expect(throws: StoredModelError.notFinite(index: 0)) {
            try StoredModel(broken, description: description, input: .vector(3))
        }
        #expect(throws: ModelError.invalidInput(.vector(3))) {
            try ModelDescription(.scatterLinear, classes: 2).model(input: .vector(3))
        }
    }

    @Test("JSON numbers, words and depth; anything else is an error with its place")
    func json() throws {
        let text = #"{"a":[1,-2.5,1e-05,true,false,null,"ü\u000a"],"b":{}}"#
        #expect(try DeclarationValue(json: text).json == text)
        let deep = String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
        for wrong in ["", "{", "[1,]", "nul", "1 2", "{\"a\":1,\"a\":2}", "[1e999]", "-", deep] {
            #expect(throws: SafetensorsError.self) { try DeclarationValue(json: wrong) }
        }
    }
}
