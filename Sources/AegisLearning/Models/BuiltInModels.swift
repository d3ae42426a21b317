extension Model {
    /// Multinomial logistic regression.
    package static func softmax(inputs: Int, classes: Int) throws(ModelError) -> Model {
        try Model(input: .vector(inputs), layers: [.dense(outputs: classes)])
    }

    /// Fully connected layers with an activation between them.
    package static func multilayerPerceptron(
        inputs: Int, hidden: [Int], classes: Int, activation: Activation = .relu
    ) throws(ModelError) -> Model {
        var layers: [Layer] = []
        for width in hidden { layers += [.dense(outputs: width), .activation(activation)] }
        return try Model(input: .vector(inputs), layers: layers + [.dense(outputs: classes)])
    }

    /// The network of 26,010 parameters that Papernot et al. (2020, "Tempered Sigmoid
    /// Activations", Table 1) train on MNIST and Fashion-MNIST.
    package static func tanhConvolutional(classes: Int = 10) throws(ModelError) -> Model {
        try Model(
            input: .image(channels: 1, height: 28, width: 28),
            layers: [
                .convolution(channels: 16, kernel: 8, stride: 2, padding: 3), .activation(.tanh),
                .maxPool(size: 2, stride: 1),
                .convolution(channels: 32, kernel: 4, stride: 2), .activation(.tanh),
                .maxPool(size: 2, stride: 1),
                .dense(outputs: 32), .activation(.tanh), .dense(outputs: classes),
            ])
    }
}
