package import AegisCore

/// When a node stops waiting for the updates of a round, from the round's start (§2.5).
package struct Deadlines: Hashable, Sendable {
    /// After it a round closes with the updates that are there, if they are enough. Where it is
    /// adaptive: that of the first round, before anything is known.
    package var softMilliseconds: Int
    /// After it the round is attempted again.
    package var hardMilliseconds: Int
    /// Where it isn't nil, the soft deadline follows what the rounds before took, and is never
    /// shorter.
    package var adaptiveMinimumMilliseconds: Int?

    package init(
        softMilliseconds: Int, hardMilliseconds: Int, adaptiveMinimumMilliseconds: Int? = nil
    ) {
        self.softMilliseconds = softMilliseconds
        self.hardMilliseconds = hardMilliseconds
        self.adaptiveMinimumMilliseconds = adaptiveMinimumMilliseconds
    }

    var cbor: CBOR {
        var fields: [(Int64, CBOR)] = [
            (1, .integer(Int64(softMilliseconds))), (2, .integer(Int64(hardMilliseconds))),
        ]
        if let minimum = adaptiveMinimumMilliseconds {
            fields.append((3, .integer(Int64(minimum))))
        }
        return .map(CBORMap(fields))
    }

    init(_ value: CBOR) throws(StatementError) {
        var fields = try CBORFields(value)
        softMilliseconds = try fields.count(1, in: 100...604_800_000)
        hardMilliseconds = try fields.count(2, in: 100...604_800_000)
        if let value = fields.optional(3) {
            guard case .unsigned(let minimum) = value, minimum >= 100,
                minimum <= UInt64(hardMilliseconds)
            else { throw .outOfRange(field: 3) }
            adaptiveMinimumMilliseconds = Int(minimum)
        }
        try fields.finish()
        guard softMilliseconds <= hardMilliseconds,
            adaptiveMinimumMilliseconds != nil || softMilliseconds <= 86_400_000
        else { throw .outOfRange(field: 2) }
    }

    /// T_soft: the median of what the last rounds took, and three times the median deviation from
    /// it, or a quarter where they hardly differ; within [minimum, hard]. While somebody is missing
    /// who took part a few rounds ago, half as long again for each round that it misses; and in
    /// some rounds much longer for those who have been missing for long, so that nobody is left out
    /// for ever.
    func softMilliseconds(
        round: Int, tookMilliseconds took: [UInt32], attendance: [Attendance]
    ) -> Int {
        guard let minimum = adaptiveMinimumMilliseconds else { return softMilliseconds }
        guard let middle = Self.median(took.map(Int.init)) else { return softMilliseconds }
        let deviation = Self.median(took.map { abs(Int($0) - middle) }) ?? 0
        var wait = max(minimum, middle + max(3 * deviation, middle / 4))
        let missed = attendance.map { Int($0.missed) }
        let patience = missed.filter { $0 < ProtocolLimits.deadlineRounds }.max() ?? 0
        for _ in 0..<min(patience, ProtocolLimits.patienceMax) { wait = min(wait * 3 / 2, 1 << 40) }
        if round.isMultiple(of: ProtocolLimits.lookBackRounds),
            missed.contains(where: { $0 >= ProtocolLimits.deadlineRounds })
        {
            wait *= ProtocolLimits.lookBackFactor
        }
        return min(wait, hardMilliseconds)
    }

    /// The lower of the two in the middle.
    private static func median(_ numbers: [Int]) -> Int? {
        numbers.isEmpty ? nil : numbers.sorted()[(numbers.count - 1) / 2]
    }
}
