import AegisAggregation
import AegisCore

/// Any bytes as a round's updates: what the intake refuses, no rule sees; what it admits, every
/// rule combines to finite values or refuses with a typed error. The first bytes choose the rule,
/// f and the updates' length, the rest are their values, at any alignment.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzIntake(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    guard count > 8 else { return 0 }
    let byzantine = Int(bytes[1] % 4)
    let length = 1 + Int(bytes[2] % 24)
    let rules: [AggregationRule] = [
        .mean, .weightedMean, .median, .weightedMedian, .trimmedMean(byzantine: byzantine),
        .weightedTrimmedMean(byzantine: byzantine), .meanAroundMedian(byzantine: byzantine),
        .krum(byzantine: byzantine), .multiKrum(byzantine: byzantine, kept: nil),
        .bulyan(byzantine: byzantine), .geometricMedian,
        .smoothedWeiszfeld(smoothing: 0.1, steps: 3, fromMean: true),
        .centeredClipping(radius: 1, steps: 2), .minimumDiameter(byzantine: byzantine),
    ]
    let steps: [PreStep] = [
        .nearestNeighbourMixing(byzantine: byzantine), .adaptiveClipping(byzantine: byzantine),
        .normClipping(radius: 2), .bucketing(size: 2, order: .seed(.zero)),
    ]
    let values = UnsafeRawBufferPointer(rebasing: bytes[(4 + Int(bytes[3] % 4))...])
    var updates: [NodeUpdate] = []
    var offset = 0
    while offset + 4 * length <= values.count, updates.count < 24 {
        let part = UnsafeRawBufferPointer(rebasing: values[offset..<offset + 4 * length])
        let id = [UInt8(updates.count)] + [UInt8](repeating: 0, count: 31)
        guard let node = NodeID(id), let source = RawUpdate(part) else {
            preconditionFailure("whole numbers of values")
        }
        updates.append(NodeUpdate(node: node, weight: Double(part[0]), values: source))
        offset += 4 * length
    }
    let check = IntakeCheck(parameterCount: length, normMax: 1e30, weightMax: 200)
    let (admitted, refused) = check.admit(updates)
    precondition(admitted.count + refused.count == updates.count)
    let chosen = steps.indices.filter { bytes[4] & 1 << UInt8($0) != 0 }.map { steps[$0] }
    let aggregator = Aggregator(preSteps: chosen, rule: rules[Int(bytes[0]) % rules.count])
    guard let first = try? aggregator.aggregate(admitted) else { return 0 }
    precondition(first.values.count == length)
    precondition(first.values.allSatisfy(\.isFinite), "finite in, finite out")
    precondition(first.explanation.verdicts.count == admitted.count)
    // The order in which updates arrive is nobody's business.
    guard let second = try? aggregator.aggregate(admitted.reversed()) else {
        preconditionFailure("another order, another answer")
    }
    precondition(second.values.map(\.bitPattern) == first.values.map(\.bitPattern))
    return 0
}
