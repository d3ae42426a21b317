/// A range with ticks at 1, 2 or 5 times a power of ten, wide enough for all values.
struct Axis {
    let ticks: [Double]
    private let lower: Double
    private let upper: Double
    private let places: Int

    /// With `wholeNumbers` no tick falls between two of them, and the range is that of the values.
    init(values: [Double], ticksMax: Int, wholeNumbers: Bool) {
        let least = values.min() ?? 0
        let most = values.max() ?? 1
        // A single value still gets a range around it.
        let span = most > least ? most - least : max(1, least.magnitude)
        var step = Self.step(atLeast: span / Double(ticksMax))
        if wholeNumbers { step = max(1, step) }
        var low = (least / step).rounded(.down) * step
        var high = (most / step).rounded(.up) * step
        if high <= low { high = low + step }
        if wholeNumbers, most > least { (low, high) = (least, most) }
        lower = low
        upper = high
        places = Self.places(of: step)
        let first = Int((low / step).rounded(.up))
        let last = Int((high / step + 1e-9).rounded(.down))
        ticks = first <= last ? (first...last).map { Double($0) * step } : []
    }

    func fraction(_ value: Double) -> Double { (value - lower) / (upper - lower) }

    func label(_ tick: Double) -> String { Decimal.fixed(tick, places: places) }

    private static func step(atLeast least: Double) -> Double {
        var power = 1.0
        while power * 10 <= least { power *= 10 }
        while power > least, power > 1e-9 { power /= 10 }
        return [1, 2, 5].map { $0 * power }.first { $0 >= least } ?? 10 * power
    }

    private static func places(of step: Double) -> Int {
        var places = 0
        var scaled = step
        while places < 9, (scaled - scaled.rounded()).magnitude > 1e-6 * scaled {
            scaled *= 10
            places += 1
        }
        return places
    }
}
