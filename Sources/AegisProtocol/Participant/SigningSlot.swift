package import AegisCore

/// What a node may sign once. The safety journal records the slot with the signed envelope, durably
/// and before anything is sent; it refuses a second content for a slot and returns the recorded
/// envelope for the same content (R12).
package enum SigningSlot: Hashable, Sendable {
    case update(RunID, round: Int)
    /// Advisory, so that nobody waits: a node that abstained may still give an update later.
    case abstention(RunID, round: Int)
    case haveList(height: UInt64, view: UInt32, sequence: UInt32)
    case proposal(height: UInt64, view: UInt32)
    case vote1(height: UInt64, view: UInt32)
    case vote2(height: UInt64, view: UInt32)
    case timeout(height: UInt64, view: UInt32)
    /// A learner's word that it is at this height.
    case readiness(height: UInt64)
    /// Of a decided header (§2.8).
    case coSign(height: UInt64)

    package var type: StatementType {
        switch self {
        case .update: .update
        case .abstention: .consent
        case .haveList: .haveList
        case .proposal: .proposal
        case .vote1: .vote1
        case .vote2: .vote2
        case .timeout: .timeout
        case .readiness: .command
        case .coSign: .coSign
        }
    }

    /// The height of a statement of an agreement; nil for one of a round.
    package var height: UInt64? {
        switch self {
        case .update, .abstention: nil
        case .haveList(let height, _, _): height
        case .proposal(let height, _), .vote1(let height, _), .vote2(let height, _),
            .timeout(let height, _):
            height
        // Of the decided height that it names.
        case .readiness(let height), .coSign(let height): height
        }
    }

    /// Whether it still binds this node, or its successor after a restart, once `decided` is.
    package func outlives(_ decided: UInt64) -> Bool {
        switch self {
        case .update, .abstention: true
        // Whatever is co-signed later must extend it.
        case .coSign(let height): height + UInt64(ProtocolLimits.recentTipsMax) > decided
        default: height.map { $0 > decided } ?? true
        }
    }

    package var cbor: CBOR {
        switch self {
        case .update(let run, let round):
            .array([1, .bytes(run.bytes), .integer(Int64(round))])
        case .abstention(let run, let round):
            .array([2, .bytes(run.bytes), .integer(Int64(round))])
        case .haveList(let height, let view, let sequence):
            .array([
                3, .unsigned(height), .unsigned(UInt64(view)), .unsigned(UInt64(sequence)),
            ])
        case .proposal(let height, let view): Self.cbor(4, height, view)
        case .vote1(let height, let view): Self.cbor(5, height, view)
        case .vote2(let height, let view): Self.cbor(6, height, view)
        case .timeout(let height, let view): Self.cbor(7, height, view)
        case .readiness(let height): Self.cbor(8, height, 0)
        case .coSign(let height): Self.cbor(9, height, 0)
        }
    }

    private static func cbor(_ kind: UInt64, _ height: UInt64, _ view: UInt32) -> CBOR {
        .array([.unsigned(kind), .unsigned(height), .unsigned(UInt64(view))])
    }

    package init(_ value: CBOR) throws(StatementError) {
        guard case .array(let parts) = value, (3...4).contains(parts.count),
            case .unsigned(let kind) = parts[0], (parts.count == 4) == (kind == 3)
        else { throw .wrongType(field: 0) }
        if case .bytes(let bytes) = parts[1], let run = RunID(bytes),
            case .unsigned(let round) = parts[2], round <= UInt64(Limits.roundsMax)
        {
            switch kind {
            case 1: self = .update(run, round: Int(round))
            case 2: self = .abstention(run, round: Int(round))
            default: throw .outOfRange(field: 0)
            }
            return
        }
        guard case .unsigned(let height) = parts[1], case .unsigned(let number) = parts[2],
            let view = UInt32(exactly: number)
        else { throw .wrongType(field: 0) }
        switch kind {
        case 3:
            guard case .unsigned(let number) = parts[3], let sequence = UInt32(exactly: number)
            else { throw .wrongType(field: 0) }
            self = .haveList(height: height, view: view, sequence: sequence)
        case 4: self = .proposal(height: height, view: view)
        case 5: self = .vote1(height: height, view: view)
        case 6: self = .vote2(height: height, view: view)
        case 7: self = .timeout(height: height, view: view)
        case 8 where view == 0: self = .readiness(height: height)
        case 9 where view == 0: self = .coSign(height: height)
        default: throw .outOfRange(field: 0)
        }
    }
}
