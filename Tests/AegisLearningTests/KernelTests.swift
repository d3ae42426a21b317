import AegisLearning
import CLearning
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Whatever this processor has, beside the definitions in binary64.
@Suite("Kernels of every kind of processor")
struct KernelTests {
    static let names = ["portable", "avx2", "avx512"]

    /// Nil where this processor can't run them.
    private func kernels(_ name: String) -> aegis_kernels? {
        aegis_learning_kernel_set(name)?.pointee
    }

    private func numbers(_ count: Int, seed: UInt64, scale: Float = 1) -> [Float] {
        var generator = SplitMix64(seed: seed)
        return (0..<count).map { _ in
            (Float(generator.next() >> 40) * 0x1p-23 - 1) * scale
        }
    }

    @Test("there is one for any processor, and the best is chosen")
    func choice() throws {
        #expect(kernels("portable") != nil)
        #expect(kernels("none") == nil)
        let best = Self.names.last { kernels($0) != nil }
        #expect(String(cString: aegis_learning_kernels()) == best)
    }

    @Test("tanh and its slope, in every length", arguments: names)
    func tanhAccuracy(name: String) throws {
        guard let kernels = kernels(name) else { return }
        for count in [1, 15, 16, 17, 100] {
            let x = numbers(count, seed: 1, scale: 6) + [0, -0.0, 1e-30, 50, -50, 1e30, -.infinity]
            var y = x
            kernels.activate(&y, y.count, 2)
            for (x, y) in zip(x, y) { #expect(abs(Double(y) - tanh(Double(x))) < 3e-7) }
            var slopes = [Float](repeating: 2, count: y.count)
            kernels.activation_gradient(y, &slopes, y.count, 2)
            for (y, slope) in zip(y, slopes) { #expect(abs(slope - 2 * (1 - y * y)) < 1e-6) }
        }
        var bad: [Float] = [.nan, 1]
        kernels.activate(&bad, 2, 2)
        #expect(bad[0].isNaN && !bad[1].isNaN)
        bad = [.nan, -1]
        kernels.activate(&bad, 2, 1)
        #expect(bad[0].isNaN && bad[1] == 0)
    }

    @Test("softmax, its loss and gradient", arguments: names)
    func softmax(name: String) throws {
        guard let kernels = kernels(name) else { return }
        for width in [2, 10, 16, 33] {
            let logits = numbers(3 * width, seed: 2, scale: 30)
            let classes: [UInt8] = [0, UInt8(width - 1), 1]
            var gradient = [Float](repeating: 0, count: 3 * width)
            var (loss, correct) = (0.0, 0)
            kernels.softmax_loss(logits, classes, 3, width, 0.5, &gradient, &loss, &correct)
            var (expectedLoss, expectedCorrect) = (0.0, 0)
            for row in 0..<3 {
                let z = logits[row * width..<(row + 1) * width].map(Double.init)
                let largest = z.max() ?? 0
                let total = z.reduce(0) { $0 + exp($1 - largest) }
                let label = Int(classes[row])
                expectedLoss += log(total) + largest - z[label]
                expectedCorrect += z[label] == largest ? 1 : 0
                for column in 0..<width {
                    let share = exp(z[column] - largest) / total - (column == label ? 1 : 0)
                    #expect(abs(Double(gradient[row * width + column]) - share / 2) < 1e-6)
                }
            }
            #expect(abs(loss - expectedLoss) < 1e-4 && correct == expectedCorrect)
        }
    }

    @Test("norms, sums and products, in every length", arguments: names)
    func vectors(name: String) throws {
        guard let kernels = kernels(name) else { return }
        for count in [1, 7, 16, 31, 64, 65, 300] {
            let (a, b) = (numbers(count, seed: 3), numbers(count, seed: 4))
            let squares = a.reduce(0.0) { $0 + Double($1) * Double($1) }
            #expect(abs(Double(kernels.squared_norm(a, count)) - squares) < 1e-6 * squares)
            let product = zip(a, b).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            #expect(abs(kernels.product(a, b, count) - product) < 1e-12 * squares)
            var sum = a
            kernels.add_scaled(&sum, b, 0.5, count)
            #expect(zip(sum, zip(a, b)).allSatisfy { abs($0 - ($1.0 + 0.5 * $1.1)) < 1e-6 })
            var rows = a
            kernels.add_rows(&rows, a + b, 2, count)
            #expect(zip(rows, zip(a, b)).allSatisfy { abs($0 - (2 * $1.0 + $1.1)) < 1e-6 })
            let bytes = a.map { UInt8(($0 + 1) * 127) }
            var scaled = a
            kernels.scale_bytes(bytes, 0.5, -3, count, &scaled)
            #expect(zip(scaled, bytes).allSatisfy { $0 == Float($1) * 0.5 - 3 })
        }
    }

    @Test("a step of SGD, the same bits for shared parameters, aligned or not", arguments: names)
    func descent(name: String) throws {
        guard let kernels = kernels(name) else { return }
        for (count, offset) in [(1, 0), (16, 0), (37, 0), (100, 1), (1000, 0)] {
            let start = numbers(count, seed: 5)
            let gradient = numbers(count, seed: 6, scale: 8)
            let base = numbers(count, seed: 7)
            var results: [[Float]] = []
            for shared: Int32 in [0, 1] {
                let memory = UnsafeMutableRawPointer.allocate(
                    byteCount: (count + 32) * 4, alignment: 64)
                defer { memory.deallocate() }
                let values = memory.bindMemory(to: Float.self, capacity: count + 32)
                kernels.zero(values, count + 32, shared)
                #expect((0..<count + 32).allSatisfy { values[$0] == 0 })
                let parameters = values + offset
                for index in 0..<count { parameters[index] = start[index] }
                var velocity = [Float](repeating: 1, count: count)
                let squares = kernels.descend_sgd(
                    parameters, &velocity, gradient, base, 0.125, 0.5, 0.25, 0.01, count, shared)
                results.append((0..<count).map { parameters[$0] })
                #expect(values[offset + count] == 0)
                var sum = 0.0
                for index in 0..<count {
                    let (p, g) = (Double(start[index]), Double(gradient[index]))
                    let v = 0.5 + g * 0.125 + 0.01 * (p - Double(base[index]))
                    #expect(abs(Double(parameters[index]) - (p - 0.25 * v)) < 1e-6)
                    sum += Double(parameters[index]) * Double(parameters[index])
                }
                #expect(abs(Double(squares) - sum) < 1e-5 * max(1, sum))
            }
            #expect(results[0] == results[1])
            kernels.fetch(start, count)
        }
        var bad: [Float] = [.infinity]
        var velocity: [Float] = [0]
        #expect(!kernels.descend_sgd(&bad, &velocity, [0], [0], 1, 0, 1, 0, 1, 0).isFinite)
    }

    @Test("a dense layer of few outputs", arguments: names)
    func skinny(name: String) throws {
        guard let kernels = kernels(name) else { return }
        for (rows, inputs, outputs) in [(1, 3, 1), (9, 20, 10), (37, 33, 16)] {
            let x = numbers(rows * inputs, seed: 5)
            let w = numbers(inputs * outputs, seed: 6)
            let bias = numbers(outputs, seed: 7)
            var packed = [Float](repeating: 0, count: inputs * 16)
            for i in 0..<inputs {
                for o in 0..<outputs { packed[i * 16 + o] = w[o * inputs + i] }
            }
            var y = [Float](repeating: 0, count: rows * outputs)
            kernels.skinny_forward(x, packed, bias, rows, inputs, outputs, &y)
            var gradient = [Float](repeating: 0, count: inputs * 16)
            kernels.skinny_weight_gradient(x, y, rows, inputs, outputs, &gradient)
            for o in 0..<outputs {
                for r in 0..<rows {
                    let expected = (0..<inputs).reduce(Double(bias[o])) {
                        $0 + Double(x[r * inputs + $1]) * Double(w[o * inputs + $1])
                    }
                    #expect(abs(Double(y[r * outputs + o]) - expected) < 1e-4)
                }
                for i in 0..<inputs {
                    let expected = (0..<rows).reduce(0.0) {
                        $0 + Double(x[$1 * inputs + i]) * Double(y[$1 * outputs + o])
                    }
                    #expect(abs(Double(gradient[i * 16 + o]) - expected) < 1e-3)
                }
            }
        }
    }

    /// The three products of a convolution are one trilinear form: Σ g · conv(x, w) must come out
    /// of each of them, and the form itself is computed by its definition.
    @Test("convolutions: forward and both gradients", arguments: names)
    func convolution(name: String) throws {
        guard let kernels = kernels(name) else { return }
        let shapes: [(side: Int, channels: Int, kernel: Int, stride: Int, outputs: Int)] = [
            (34, 1, 8, 2, 16), (13, 16, 4, 2, 32), (9, 3, 3, 1, 5), (8, 5, 2, 2, 37),
        ]
        for (side, channels, kernel, stride, outputs) in shapes {
            let out = (side - kernel) / stride + 1
            var shape = aegis_convolution(
                width: side, channels: channels, kernel: kernel, stride: stride,
                outputs: outputs, output_height: out, output_width: out)
            let x = numbers(side * side * channels, seed: 1)
            let w = numbers(outputs * channels * kernel * kernel, seed: 2)
            let g = numbers(out * out * outputs, seed: 3)
            var packed = [Float](repeating: 0, count: aegis_convolution_packed_count(&shape))
            var turned = [Float](repeating: 0, count: aegis_convolution_turned_count(&shape))
            aegis_convolution_pack(&shape, w, &packed, &turned)
            var form = 0.0
            for o in 0..<outputs {
                for p in 0..<out * out {
                    for c in 0..<channels {
                        for k in 0..<kernel * kernel {
                            let row = p / out * stride + k / kernel
                            let column = p % out * stride + k % kernel
                            form +=
                                Double(g[p * outputs + o])
                                * Double(w[(o * channels + c) * kernel * kernel + k])
                                * Double(x[(row * side + column) * channels + c])
                        }
                    }
                }
            }
            func dot(_ a: [Float], _ b: [Float]) -> Double {
                zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
            }
            var y = [Float](repeating: 0, count: out * out * outputs)
            let zero = [Float](repeating: 0, count: outputs)
            kernels.convolution_forward(&shape, x, packed, zero, &y)
            var weightGradient = [Float](repeating: 9, count: packed.count)
            kernels.convolution_weight_gradient(&shape, x, g, 0, &weightGradient)
            var unpacked = [Float](repeating: 0, count: w.count)
            aegis_convolution_unpack_add(&shape, weightGradient, &unpacked)
            var inputGradient = [Float](repeating: 0, count: x.count + 16)
            kernels.convolution_input_gradient(&shape, g, turned, &inputGradient)
            let size = max(1, abs(form))
            #expect(abs(dot(y, g) - form) < 1e-4 * size, "\(name) forward \(side)")
            #expect(abs(dot(unpacked, w) - form) < 1e-4 * size, "\(name) weight \(side)")
            #expect(abs(dot(inputGradient, x) - form) < 1e-4 * size, "\(name) input \(side)")
        }
    }
}
