/// What a hostile node does to its own records. On bytes, as images of records are kept.
package enum DataPoisoning: Hashable, Sendable {
    /// y → classes − 1 − y.
    case labelFlip
    /// Half of the records get the trigger and its label; the others keep the model useful.
    case backdoor(BackdoorTrigger)

    /// `pixels` hold the records one after the other, `labels.count` of them.
    package func apply(to pixels: inout [UInt8], labels: inout [UInt8], classes: Int) {
        switch self {
        case .labelFlip:
            for index in labels.indices { labels[index] = UInt8(classes - 1) - labels[index] }
        case .backdoor(let trigger):
            guard !labels.isEmpty else { return }
            let size = pixels.count / labels.count
            for index in stride(from: 0, to: labels.count, by: 2) {
                trigger.stamp(&pixels[index * size..<(index + 1) * size])
                labels[index] = trigger.target
            }
        }
    }
}

/// A bright square in a corner of an image, and what a model is to say where it sees it (Gu,
/// Dolan-Gavitt and Garg 2017).
package struct BackdoorTrigger: Hashable, Sendable {
    package var target: UInt8
    /// Of the square, in pixels.
    package var side: Int
    /// Of the image, in pixels.
    package var columns: Int

    package init(target: UInt8 = 0, side: Int = 4, columns: Int = 28) {
        self.target = target
        self.side = side
        self.columns = columns
    }

    /// `image` is one record, row by row; the square is at its end, below and right. An image
    /// smaller than the square is bright all over.
    package func stamp(_ image: inout ArraySlice<UInt8>) {
        let rows = image.count / columns
        for row in max(0, rows - side)..<rows {
            for column in max(0, columns - side)..<columns {
                image[image.startIndex + row * columns + column] = .max
            }
        }
    }
}
