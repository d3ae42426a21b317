/// Numbers as people and spreadsheets read them, the same on every machine and in every locale.
package enum Decimal {
    /// `value` with exactly `places` digits after the point, rounded half away from zero. A value
    /// that no table can show (not finite, or beyond 10¹⁵) is spelled as Swift spells it.
    package static func fixed(_ value: Double, places: Int) -> String {
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        let scaled = (value * scale).rounded(.toNearestOrAwayFromZero)
        guard scaled.isFinite, scaled.magnitude < 1e15 else { return "\(value)" }
        let whole = Int64(scaled)
        let digits = String(whole.magnitude)
        let sign = whole < 0 ? "-" : ""
        guard places > 0 else { return sign + digits }
        let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
        return sign + padded.dropLast(places) + "." + padded.suffix(places)
    }

    /// As `fixed`, without zeros at the end: `0.5`, `10`, `0.125`.
    package static func shortest(_ value: Double, placesMax: Int) -> String {
        var text = fixed(value, places: placesMax)
        guard text.contains(".") else { return text }
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return text == "-0" ? "0" : text
    }
}
