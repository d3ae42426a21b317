import AegisCore

/// What the owner of a data set allows: no run, admin or coordinator can change it. In fixed
/// point, limits rounded down and the least noise up, so that what was written down never allows
/// more than what was said.
package struct OwnerPolicy: Hashable, Sendable {
    /// Over the whole life of the data set: ε at δ. The same δ is the most that a run may ask.
    package let lifetime: PrivacyBudget
    private let runUnits: UInt64?
    private let periodUnits: UInt64?
    /// The length of a period, in milliseconds. It slides: what was charged longer ago does not
    /// count in it.
    private let periodMilliseconds: UInt64?
    private let noiseUnitsMin: UInt64

    /// ε that one run may cost.
    package var runEpsilon: Double? { runUnits.map { Double($0) / 1e9 } }
    /// ε that may be spent within any stretch of time as long as a period.
    package var periodEpsilon: Double? { periodUnits.map { Double($0) / 1e9 } }
    package var periodDays: Double? { periodMilliseconds.map { Double($0) / 86_400_000 } }
    var period: UInt64? { periodMilliseconds }
    /// The least σ a run may use.
    package var noiseMultiplierMin: Double { Double(noiseUnitsMin) / 1e9 }

    /// Nil unless every ε lies in 0…10⁶, a period in one second to a hundred years, and
    /// 0 ≤ σ ≤ 10⁹.
    package init?(
        lifetime: PrivacyBudget, runEpsilon: Double? = nil,
        period: (epsilon: Double, days: Double)? = nil, noiseMultiplierMin: Double = 0
    ) {
        func units(_ epsilon: Double) -> UInt64? {
            epsilon >= 0 && epsilon <= 1e6 ? FixedPoint.units(of: epsilon, scale: 1e9) : nil
        }
        self.lifetime = lifetime
        if let runEpsilon {
            guard let limit = units(runEpsilon) else { return nil }
            runUnits = limit
        } else {
            runUnits = nil
        }
        if let period {
            let milliseconds = period.days * 86_400_000
            guard let limit = units(period.epsilon), milliseconds >= 1_000,
                milliseconds <= Double(Self.periodMax)
            else { return nil }
            periodUnits = limit
            periodMilliseconds = UInt64(milliseconds.rounded(.up))
        } else {
            (periodUnits, periodMilliseconds) = (nil, nil)
        }
        guard noiseMultiplierMin >= 0, noiseMultiplierMin <= 1e9 else { return nil }
        noiseUnitsMin = UInt64((noiseMultiplierMin * 1e9).rounded(.up))
    }

    private static let periodMax: UInt64 = 36_525 * 86_400_000

    func allowsNoise(of mechanism: SampledGaussian) -> Bool {
        mechanism.noiseUnits >= noiseUnitsMin
    }

    var cbor: CBOR {
        func optional(_ value: UInt64?) -> CBOR { value.map { .unsigned($0) } ?? .null }
        return .fields([
            1: lifetime.cbor, 2: optional(runUnits), 3: optional(periodUnits),
            4: optional(periodMilliseconds), 5: .unsigned(noiseUnitsMin),
        ])
    }

    init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        lifetime = try PrivacyBudget(try fields.value(1))
        runUnits = try fields.optionalUnits(2, max: PrivacyBudget.epsilonUnitsMax)
        periodUnits = try fields.optionalUnits(3, max: PrivacyBudget.epsilonUnitsMax)
        periodMilliseconds = try fields.optionalUnits(4, max: Self.periodMax)
        noiseUnitsMin = try fields.unsigned(5, max: SampledGaussian.noiseUnitsMax)
        try fields.finish()
        guard (periodUnits == nil) == (periodMilliseconds == nil), periodMilliseconds != 0
        else { throw .outOfRange(field: 4) }
    }
}

extension CBORFields {
    fileprivate mutating func optionalUnits(
        _ field: Int64, max: UInt64
    ) throws(StatementError) -> UInt64? {
        switch try value(field) {
        case .null: return nil
        case .unsigned(let value) where value <= max: return value
        case .unsigned: throw .outOfRange(field: field)
        default: throw .wrongType(field: field)
        }
    }
}
