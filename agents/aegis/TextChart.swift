import AegisReport

/// A curve drawn with Braille dots, two by four in each cell of a terminal.
package struct TextChart {
    private let title: String
    private let xLabel: String
    private let points: [(x: Double, y: Double)]

    /// Points that are not finite have no place on the screen.
    package init(title: String, xLabel: String, points: [(x: Double, y: Double)]) {
        self.title = title
        self.xLabel = xLabel
        self.points = points.filter { $0.x.isFinite && $0.y.isFinite }.sorted { $0.x < $1.x }
    }

    package func text(width: Int = 72, height: Int = 10) -> String {
        guard let first = points.first, let last = points.last, first.x < last.x else { return "" }
        let top = Self.ceiling(points.map(\.y).max() ?? 1)
        let labels = (0..<height).map { row in
            row % 3 == 0
                ? Decimal.shortest(top * (1 - Double(row) / Double(height)), placesMax: 4) : ""
        }
        let margin = (labels.map(\.count).max() ?? 0) + 1
        let columns = max(20, min(width, 120) - margin - 2)
        var dots = [UInt8](repeating: 0, count: columns * height)
        // The bits of U+2800 by column and row of a cell.
        let bits: [[UInt8]] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]]
        for column in 0..<(2 * columns) {
            let x = first.x + (last.x - first.x) * Double(column) / Double(2 * columns - 1)
            let share = value(at: x) / top
            let row = Int(((1 - share) * Double(4 * height - 1)).rounded())
            guard (0..<(4 * height)).contains(row) else { continue }
            dots[(row / 4) * columns + column / 2] |= bits[column % 2][row % 4]
        }
        var lines = [title]
        for row in 0..<height {
            let label = labels[row]
            let cells = dots[(row * columns)..<((row + 1) * columns)].map { bits in
                bits == 0 ? " " : String(UnicodeScalar(0x2800 + UInt32(bits)) ?? " ")
            }
            let space = String(repeating: " ", count: margin - label.count)
            lines.append(space + label + "┤" + cells.joined().trimmingEnd())
        }
        lines.append(
            String(repeating: " ", count: margin) + "└" + String(repeating: "─", count: columns))
        let left = Decimal.shortest(first.x, placesMax: 0)
        let right = Decimal.shortest(last.x, placesMax: 0) + " " + xLabel
        let gap = max(1, columns - left.count - right.count)
        lines.append(
            String(repeating: " ", count: margin + 1) + left
                + String(repeating: " ", count: gap) + right)
        return lines.joined(separator: "\n") + "\n"
    }

    private func value(at x: Double) -> Double {
        guard let after = points.firstIndex(where: { $0.x >= x }), after > 0 else {
            return points.first(where: { $0.x >= x })?.y ?? points.last?.y ?? 0
        }
        let (a, b) = (points[after - 1], points[after])
        return a.y + (b.y - a.y) * (x - a.x) / (b.x - a.x)
    }

    /// The next of 1, 2, 5 times a power of ten, or something between them.
    private static func ceiling(_ value: Double) -> Double {
        guard value > 0 else { return 1 }
        var scale = 1.0
        while scale > value { scale /= 10 }
        while scale * 10 <= value { scale *= 10 }
        let steps = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10]
        return scale * (steps.first { scale * $0 >= value } ?? 10)
    }
}

extension String {
    fileprivate func trimmingEnd() -> String {
        var copy = self
        while copy.hasSuffix(" ") { copy.removeLast() }
        return copy
    }
}
