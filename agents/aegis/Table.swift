/// Rows under headings, as wide as their longest cells and no wider than the page.
package struct Table {
    package enum Alignment: Sendable { case left, right }

    package struct Column: Sendable {
        package let heading: String
        package let alignment: Alignment
        /// Kept at least this wide when the page is too narrow; a column without is never cut.
        package let cutTo: Int?

        package init(_ heading: String, _ alignment: Alignment = .left, cutTo: Int? = nil) {
            self.heading = heading
            self.alignment = alignment
            self.cutTo = cutTo
        }
    }

    private let columns: [Column]
    private let rows: [[String]]

    package init(_ columns: [Column], rows: [[String]]) {
        self.columns = columns
        self.rows = rows.map { $0.map(Self.visible) }
    }

    package func text(width: Int = 80) -> String {
        var widths = columns.indices.map { index in
            ([columns[index].heading.count] + rows.map { $0[index].count }).max() ?? 0
        }
        let gap = 2
        while widths.reduce(0, +) + gap * (widths.count - 1) > width {
            let candidates = columns.indices.filter { widths[$0] > columns[$0].cutTo ?? .max }
            guard let widest = candidates.max(by: { widths[$0] < widths[$1] }) else { break }
            widths[widest] -= 1
        }
        return ([columns.map(\.heading)] + rows)
            .map { line($0, widths: widths, gap: gap) }.joined()
    }

    private func line(_ cells: [String], widths: [Int], gap: Int) -> String {
        var parts: [String] = []
        for index in columns.indices {
            var cell = cells[index]
            if cell.count > widths[index] { cell = cell.prefix(widths[index] - 1) + "…" }
            let space = String(repeating: " ", count: widths[index] - cell.count)
            parts.append(columns[index].alignment == .left ? cell + space : space + cell)
        }
        var text = parts.joined(separator: String(repeating: " ", count: gap))
        while text.hasSuffix(" ") { text.removeLast() }
        return text + "\n"
    }

    /// Names come from other people; none of them may move the cursor.
    private static func visible(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    let control =
                        scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
                    return control ? "?" : scalar
                }))
    }
}
