/// A table of numbers whose cells are coloured by value, drawn as an SVG document that reads on a
/// light and on a dark page. The same map gives the same bytes on every machine.
package struct HeatMap: Sendable {
    /// One table; several stand below one another under the same columns.
    package struct Panel: Sendable {
        package let title: String
        /// Row by row, as many in each as there are columns; nil where nothing was measured.
        package let values: [[Double?]]

        package init(title: String, values: [[Double?]]) {
            self.title = title
            self.values = values
        }
    }

    package let title: String
    package let rows: [String]
    package let columns: [String]
    package let panels: [Panel]
    /// The values of the palest and of the darkest cells.
    package let range: ClosedRange<Double>

    package init(
        title: String, rows: [String], columns: [String], panels: [Panel],
        range: ClosedRange<Double>
    ) {
        self.title = title
        self.rows = rows
        self.columns = columns
        self.panels = panels
        self.range = range
    }

    private static let left = 150
    private static let cellWidth = 88
    private static let cellHeight = 26

    package var svg: String {
        let width = Self.left + columns.count * Self.cellWidth + 24
        let panelHeight = 58 + rows.count * Self.cellHeight
        let height = 48 + panels.count * panelHeight + 12
        var text = header(width: width, height: height)
        for (index, panel) in panels.enumerated() {
            text += draw(panel, top: 48 + index * panelHeight)
        }
        return text + "</svg>\n"
    }

    private func header(width: Int, height: Int) -> String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(width) \(height)" \
        role="img" aria-label="\(LineChart.escape(title))" font-family="sans-serif" font-size="13">
        <style>
        .page { fill: #ffffff } .ink { fill: #1f2933 } .quiet { fill: #52606d }
        .on-pale { fill: #14191f } .on-dark { fill: #ffffff } .gap { fill: #d9e0e6 }
        @media (prefers-color-scheme: dark) {
        .page { fill: #14191f } .ink { fill: #e4e9ee } .quiet { fill: #a9b4bf }
        .gap { fill: #2d3741 }
        }
        </style>
        <title>\(LineChart.escape(title))</title>
        <rect class="page" width="\(width)" height="\(height)"/>
        <text class="ink" x="16" y="28" font-size="16">\(LineChart.escape(title))</text>

        """
    }

    private func draw(_ panel: Panel, top: Int) -> String {
        let title = LineChart.escape(panel.title)
        var text = "<text class=\"ink\" x=\"16\" y=\"\(top + 16)\">\(title)</text>\n"
        for (index, column) in columns.enumerated() {
            let x = Self.left + index * Self.cellWidth + Self.cellWidth / 2
            text += """
                <text class="quiet" x="\(x)" y="\(top + 40)" font-size="11" \
                text-anchor="middle">\(LineChart.escape(column))</text>

                """
        }
        for (row, name) in rows.enumerated() {
            let y = top + 48 + row * Self.cellHeight
            text += """
                <text class="quiet" x="\(Self.left - 8)" y="\(y + 17)" \
                text-anchor="end">\(LineChart.escape(name))</text>

                """
            let values = row < panel.values.count ? panel.values[row] : []
            for column in columns.indices {
                text += cell(column < values.count ? values[column] : nil, column, y: y)
            }
        }
        return text
    }

    private func cell(_ value: Double?, _ column: Int, y: Int) -> String {
        let x = Self.left + column * Self.cellWidth
        let place =
            "x=\"\(x + 1)\" y=\"\(y + 1)\" width=\"\(Self.cellWidth - 2)\" "
            + "height=\"\(Self.cellHeight - 2)\""
        guard let value, value.isFinite else { return "<rect class=\"gap\" \(place)/>\n" }
        let span = range.upperBound - range.lowerBound
        let share = span > 0 ? min(max((value - range.lowerBound) / span, 0), 1) : 1
        return """
            <rect fill="\(Self.colour(share))" \(place)/>
            <text class="\(share > 0.55 ? "on-dark" : "on-pale")" \
            x="\(x + Self.cellWidth / 2)" y="\(y + 17)" \
            text-anchor="middle">\(Decimal.fixed(value, places: 1))</text>

            """
    }

    /// From a pale yellow over green to a dark blue: ordered by lightness, so that it also reads
    /// without colour.
    private static func colour(_ share: Double) -> String {
        let stops: [(Double, Double, Double)] = [
            (254, 240, 190), (140, 200, 160), (45, 130, 150), (20, 55, 110),
        ]
        let place = share * Double(stops.count - 1)
        let lower = min(Int(place), stops.count - 2)
        let part = place - Double(lower)
        let (from, to) = (stops[lower], stops[lower + 1])
        let mixed = [
            from.0 + part * (to.0 - from.0), from.1 + part * (to.1 - from.1),
            from.2 + part * (to.2 - from.2),
        ]
        return "#"
            + mixed.map { value in
                let digits = String(Int(value.rounded()), radix: 16)
                return digits.count < 2 ? "0" + digits : digits
            }.joined()
    }
}
