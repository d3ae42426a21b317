/// Lines over a common axis, drawn as an SVG document that reads on a light and on a dark page.
/// The same chart gives the same bytes on every machine.
package struct LineChart: Sendable {
    package struct Point: Sendable, Equatable {
        package let x: Double
        package let y: Double

        package init(x: Double, y: Double) {
            self.x = x
            self.y = y
        }
    }

    package struct Series: Sendable {
        package let name: String
        package let points: [Point]

        package init(name: String, points: [Point]) {
            self.name = name
            self.points = points
        }
    }

    package let title: String
    /// Each with its unit in brackets.
    package let xLabel: String
    package let yLabel: String
    package let series: [Series]

    package init(title: String, xLabel: String, yLabel: String, series: [Series]) {
        self.title = title
        self.xLabel = xLabel
        self.yLabel = yLabel
        // A point that is not finite has no place on paper.
        self.series = series.map { series in
            Series(
                name: series.name,
                points: series.points.filter { $0.x.isFinite && $0.y.isFinite })
        }
    }

    package var svg: String {
        let points = series.flatMap(\.points)
        let xAxis = Axis(values: points.map(\.x), ticksMax: 10, wholeNumbers: true)
        let yAxis = Axis(values: points.map(\.y), ticksMax: 6, wholeNumbers: false)
        let frame = Frame(right: series.count > 1 ? 620 : 776, xAxis: xAxis, yAxis: yAxis)
        return header + grid(frame) + lines(frame) + legend(frame) + "</svg>\n"
    }

    private var header: String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Frame.width) \(Frame.height)" \
        role="img" aria-label="\(Self.escape(title))" font-family="sans-serif" font-size="13">
        <style>
        .page { fill: #ffffff } .ink { fill: #1f2933 } .quiet { fill: #52606d }
        .grid { stroke: #d9e0e6 } .axis { stroke: #7b8794 }
        .s0 { stroke: #1769aa; fill: #1769aa } .s1 { stroke: #b3541e; fill: #b3541e }
        .s2 { stroke: #2f7d4f; fill: #2f7d4f } .s3 { stroke: #7d4fb3; fill: #7d4fb3 }
        .s4 { stroke: #a12b5e; fill: #a12b5e } .s5 { stroke: #6b6b1f; fill: #6b6b1f }
        .line { fill: none; stroke-width: 2; stroke-linejoin: round }
        @media (prefers-color-scheme: dark) {
        .page { fill: #14191f } .ink { fill: #e4e9ee } .quiet { fill: #a9b4bf }
        .grid { stroke: #2d3741 } .axis { stroke: #7b8794 }
        .s0 { stroke: #6db3f2; fill: #6db3f2 } .s1 { stroke: #f0a06a; fill: #f0a06a }
        .s2 { stroke: #74c794; fill: #74c794 } .s3 { stroke: #bb96ea; fill: #bb96ea }
        .s4 { stroke: #ec88b2; fill: #ec88b2 } .s5 { stroke: #c9c96a; fill: #c9c96a }
        .line { fill: none }
        }
        </style>
        <title>\(Self.escape(title))</title>
        <rect class="page" width="\(Frame.width)" height="\(Frame.height)"/>
        <text class="ink" x="\(Frame.left)" y="28" font-size="16">\(Self.escape(title))</text>

        """
    }

    private func grid(_ frame: Frame) -> String {
        var text = ""
        let bottom = Frame.coordinate(Double(Frame.bottom))
        for tick in frame.yAxis.ticks {
            let y = Frame.coordinate(frame.y(tick))
            text += """
                <path class="grid" d="M\(Frame.left) \(y)H\(frame.right)"/>
                <text class="quiet" x="\(Frame.left - 8)" y="\(y)" dy="4" \
                text-anchor="end">\(frame.yAxis.label(tick))</text>

                """
        }
        for tick in frame.xAxis.ticks {
            let x = Frame.coordinate(frame.x(tick))
            text += """
                <path class="axis" d="M\(x) \(bottom)v5"/>
                <text class="quiet" x="\(x)" y="\(Frame.bottom + 20)" \
                text-anchor="middle">\(frame.xAxis.label(tick))</text>

                """
        }
        let middle = (Frame.top + Frame.bottom) / 2
        return text + """
            <path class="axis" d="M\(Frame.left) \(bottom)H\(frame.right)"/>
            <text class="ink" x="\((Frame.left + frame.right) / 2)" y="\(Frame.bottom + 42)" \
            text-anchor="middle">\(Self.escape(xLabel))</text>
            <text class="ink" transform="translate(20 \(middle)) rotate(-90)" \
            text-anchor="middle">\(Self.escape(yLabel))</text>

            """
    }

    private func lines(_ frame: Frame) -> String {
        var text = ""
        for (index, series) in series.enumerated() where !series.points.isEmpty {
            let style = "s\(index % Self.stylesCount)"
            let places = series.points.map { point in
                (Frame.coordinate(frame.x(point.x)), Frame.coordinate(frame.y(point.y)))
            }
            let path = places.map { "\($0.0) \($0.1)" }.joined(separator: "L")
            text += "<path class=\"\(style) line\" d=\"M\(path)\"/>\n"
            // More dots than this only thicken the line.
            guard places.count <= 60 else { continue }
            for place in places {
                text += "<circle class=\"\(style)\" cx=\"\(place.0)\" cy=\"\(place.1)\" r=\"3\"/>\n"
            }
        }
        return text
    }

    /// One line needs no legend: the title and the axis name it.
    private func legend(_ frame: Frame) -> String {
        guard series.count > 1 else { return "" }
        var text = ""
        for (index, series) in series.enumerated() {
            let y = Frame.top + 8 + index * 20
            text += """
                <path class="s\(index % Self.stylesCount) line" \
                d="M\(frame.right + 16) \(y)h20"/>
                <text class="ink" x="\(frame.right + 42)" y="\(y)" \
                dy="4">\(Self.escape(series.name))</text>

                """
        }
        return text
    }

    private static let stylesCount = 6

    static func escape(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}

/// Where on the page the values are.
private struct Frame {
    static let width = 800
    static let height = 450
    static let left = 72
    static let top = 52
    static let bottom = 390

    /// Where the plot ends; what is beyond is the legend's.
    let right: Int
    let xAxis: Axis
    let yAxis: Axis

    func x(_ value: Double) -> Double {
        Double(Self.left) + xAxis.fraction(value) * Double(right - Self.left)
    }

    func y(_ value: Double) -> Double {
        Double(Self.bottom) - yAxis.fraction(value) * Double(Self.bottom - Self.top)
    }

    static func coordinate(_ value: Double) -> String { Decimal.shortest(value, placesMax: 2) }
}
