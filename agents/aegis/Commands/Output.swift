import AegisAPI
import AegisReport
package import FoundationEssentials

/// How answers become text.
package enum Output {
    /// The admin's answer, indented.
    package static func json(_ bytes: Data) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let data = try encoder.encode(try AegisAPI.document(bytes))
        return String(decoding: data, as: UTF8.self) + "\n"
    }

    /// The admin's answer as JSON or YAML.
    package static func document(_ bytes: Data, _ format: OutputFormat) throws -> String {
        guard format == .yaml else { return try json(bytes) }
        return try YAMLDocument.text(try AegisAPI.document(bytes))
    }

    /// `2026-03-01 09:30:00Z` of `2026-03-01T09:30:00.250Z`.
    package static func time(_ timestamp: String) -> String {
        guard timestamp.count == 24 else { return timestamp }
        return timestamp.prefix(10) + " " + timestamp.dropFirst(11).prefix(8) + "Z"
    }

    package static func number(_ value: Double?, places: Int) -> String {
        value.map { Decimal.fixed($0, places: places) } ?? "-"
    }

    package static func percent(_ value: Double?, places: Int = 1) -> String {
        value.map { Decimal.fixed($0 * 100, places: places) + "%" } ?? "-"
    }

    package static func plural(_ count: Int, _ noun: String) -> String {
        "\(count) \(noun)\(count == 1 ? "" : "s")"
    }
}
