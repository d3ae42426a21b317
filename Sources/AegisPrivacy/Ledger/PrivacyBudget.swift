import AegisCore

/// At most ε at δ: what the owner of a data set allows over its whole life. In fixed point,
/// rounded down, so that what was written down is never more than what was said.
package struct PrivacyBudget: Hashable, Sendable {
    /// ε in units of 10⁻⁹.
    let epsilonUnits: UInt64
    /// δ in units of 10⁻¹⁸.
    let deltaUnits: UInt64

    static let epsilonUnitsMax: UInt64 = 1_000_000_000_000_000
    private static let deltaUnitsMax: UInt64 = 1_000_000_000_000_000_000

    /// Nil unless 0 ≤ ε ≤ 10⁶ and 10⁻¹⁸ ≤ δ < 1.
    package init?(epsilon: Double, delta: Double) {
        guard epsilon >= 0, epsilon <= 1e6, delta >= 1e-18, delta < 1 else { return nil }
        self.init(
            epsilonUnits: FixedPoint.units(of: epsilon, scale: 1e9),
            deltaUnits: FixedPoint.units(of: delta, scale: 1e18))
    }

    private init?(epsilonUnits: UInt64, deltaUnits: UInt64) {
        guard epsilonUnits <= Self.epsilonUnitsMax,
            (1..<Self.deltaUnitsMax).contains(deltaUnits)
        else { return nil }
        self.epsilonUnits = epsilonUnits
        self.deltaUnits = deltaUnits
    }

    package var epsilon: Double { Double(epsilonUnits) / 1e9 }
    package var delta: Double { Double(deltaUnits) / 1e18 }

    var cbor: CBOR { .fields([1: .unsigned(epsilonUnits), 2: .unsigned(deltaUnits)]) }

    init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        let epsilonUnits = try fields.unsigned(1)
        let deltaUnits = try fields.unsigned(2)
        try fields.finish()
        guard let budget = PrivacyBudget(epsilonUnits: epsilonUnits, deltaUnits: deltaUnits)
        else { throw .outOfRange(field: 1) }
        self = budget
    }
}
