/// Metrics in the Prometheus text exposition format 0.0.4: one `# HELP` and `# TYPE` a family, then
/// its samples.
package struct PrometheusText: Sendable {
    package enum Kind: String, Sendable { case counter, gauge, histogram }

    package struct Sample: Sendable {
        let labels: [(name: String, value: String)]
        let value: Double

        package init(_ value: Double, labels: KeyValuePairs<String, String> = [:]) {
            self.value = value
            self.labels = labels.map { ($0.key, $0.value) }
        }
    }

    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    package private(set) var text = ""

    package init() {}

    /// A family without samples is left out. Counters end in `_total`, units are base units.
    package mutating func add(
        _ name: String, _ kind: Kind, help: String, _ samples: [Sample]
    ) {
        guard !samples.isEmpty else { return }
        head(name, kind, help)
        for sample in samples { line(name, sample) }
    }

    /// `counts` has one more than `bounds`: what is above the last.
    package mutating func addHistogram(
        _ name: String, help: String, bounds: [Double], counts: [Int], sum: Double
    ) {
        head(name, .histogram, help)
        var total = 0
        for (bound, count) in zip(bounds + [.infinity], counts) {
            total += count
            line(name + "_bucket", Sample(Double(total), labels: ["le": Self.number(bound)]))
        }
        line(name + "_sum", Sample(sum))
        line(name + "_count", Sample(Double(total)))
    }

    private mutating func head(_ name: String, _ kind: Kind, _ help: String) {
        text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n"
        text += "# TYPE \(name) \(kind.rawValue)\n"
    }

    private mutating func line(_ name: String, _ sample: Sample) {
        let labels = sample.labels.map {
            "\($0.name)=\"\(Self.escaped($0.value, quotes: true))\""
        }
        text += name + (labels.isEmpty ? "" : "{\(labels.joined(separator: ","))}")
        text += " \(Self.number(sample.value))\n"
    }

    package mutating func add(_ name: String, _ kind: Kind, help: String, _ value: Double?) {
        add(name, kind, help: help, value.map { [Sample($0)] } ?? [])
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if value == value.rounded(), abs(value) < 0x1p53 { return "\(Int64(value))" }
        return "\(value)"
    }
}
