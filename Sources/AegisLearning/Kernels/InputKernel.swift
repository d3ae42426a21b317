import CLearning

/// Copies records into the first buffer, as numbers, in the order the kernels want them, and makes
/// their views.
final class InputKernel {
    private let channels: Int
    private let height: Int
    private let width: Int
    private let toImage: Bool
    private let augmentation: Augmentation?
    private let buffer: Values
    private let scratch: Values

    var count: Int { channels * height * width }

    /// `toImage`: what follows takes [row][column][channel].
    init(
        shape: TensorShape, toImage: Bool, augmentation: Augmentation?, buffer: Values,
        arena: Arena
    ) {
        switch shape {
        case .image(let channels, let height, let width):
            (self.channels, self.height, self.width) = (channels, height, width)
        case .vector(let count): (channels, height, width) = (1, 1, count)
        case .tokens: (channels, height, width) = (1, 1, 0)
        }
        self.toImage = toImage && channels > 1
        self.augmentation = augmentation
        self.buffer = buffer
        scratch = arena.floats(2 * channels * height * width)
    }

    func gather(_ records: Records, _ indices: ArraySlice<Int>, seed: UInt64) {
        guard count > 0 else { return }
        let views = augmentation?.views ?? 1
        for (position, index) in indices.enumerated() {
            precondition(index >= 0 && index < records.count)
            let target = buffer + position * views * count
            guard views > 1 || toImage || augmentation != nil else {
                load(records, index, into: target)
                continue
            }
            load(records, index, into: scratch)
            var generator = SplitMix64(seed: seed ^ UInt64(index) &* 0x9e37_79b9_7f4a_7c15)
            for view in 0..<views {
                makeView(scratch, target + view * count, &generator)
            }
        }
    }

    private func load(_ records: Records, _ index: Int, into target: Values) {
        switch records.features {
        case .bytes(let bytes, let scaling):
            bytes.withUnsafeBufferPointer { bytes in
                guard let base = bytes.baseAddress else { return }
                aegis_scale_bytes(
                    base + index * count, scaling.scale, scaling.offset, count, target)
            }
        case .floats(let values):
            values.withUnsafeBufferPointer { values in
                guard let base = values.baseAddress else { return }
                target.update(from: base + index * count, count: count)
            }
        case .tokens: break
        }
    }

    private func makeView(_ source: Values, _ target: Values, _ generator: inout SplitMix64) {
        let shift = augmentation?.shift ?? 0
        let down = shift > 0 ? generator.below(2 * shift + 1) - shift : 0
        let right = shift > 0 ? generator.below(2 * shift + 1) - shift : 0
        let mirrored = augmentation?.mirror == true && generator.below(2) == 1
        for channel in 0..<channels {
            for y in 0..<height {
                let line = source + (channel * height + min(max(y + down, 0), height - 1)) * width
                for x in 0..<width {
                    let column = mirrored ? width - 1 - x : x
                    let value = line[min(max(column + right, 0), width - 1)]
                    target[
                        toImage
                            ? (y * width + x) * channels + channel
                            : (channel * height + y) * width + x] = value
                }
            }
        }
    }
}
