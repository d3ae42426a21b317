package import AegisCore

/// Which updates a node holds: fetched, verified, checked and durable. Signed at its cut-off and
/// sent to the coordinator. Lists may grow within a view, each with the next sequence number; that
/// is no equivocation (PROTOCOL.md §2.4, §2.5).
package struct HaveList: Hashable, Sendable {
    package struct Member: Hashable, Sendable {
        /// The giver's place in the roster.
        package let index: Int
        /// Of the giver's signed update.
        package let update: Digest

        package init(index: Int, update: Digest) {
            self.index = index
            self.update = update
        }
    }

    package let scope: StatementScope
    package let sequence: UInt32
    /// In the order of the roster, at most one for each participant.
    package let members: [Member]
    /// Whether the hard deadline has passed, so that the round may be skipped.
    package let isFinal: Bool
    /// From the start of the round to this node's cut-off.
    package let cutOffMilliseconds: UInt32
    /// Milliseconds since 1970 on this node's clock; committed time is the median of these.
    package let wallTime: UInt64
    /// Of signed commands this node holds, which could be applied now; sorted.
    package let commands: [Digest]

    package init(
        scope: StatementScope, sequence: UInt32, members: [Member], isFinal: Bool,
        cutOffMilliseconds: UInt32, wallTime: UInt64, commands: [Digest]
    ) {
        self.scope = scope
        self.sequence = sequence
        self.members = members
        self.isFinal = isFinal
        self.cutOffMilliseconds = cutOffMilliseconds
        self.wallTime = wallTime
        self.commands = commands
    }

    package var payload: [UInt8] {
        scope.fields(and: [
            (5, .unsigned(UInt64(sequence))),
            (6, .array(members.map { .array([.integer(Int64($0.index)), .digest($0.update)]) })),
            (7, .bool(isFinal)), (8, .unsigned(UInt64(cutOffMilliseconds))),
            (9, .unsigned(wallTime)), (10, .array(commands.map { .digest($0) })),
        ])
    }

    package init(payload: [UInt8]) throws(StatementError) {
        var fields = try CBORFields(decoding: payload)
        scope = try StatementScope(reading: &fields)
        sequence = UInt32(try fields.unsigned(5, max: UInt64(ProtocolLimits.haveListSequenceMax)))
        var members: [Member] = []
        for element in try fields.array(6, max: Limits.participantsMax) {
            guard case .array(let pair) = element, pair.count == 2,
                case .unsigned(let index) = pair[0], index < UInt64(Limits.participantsMax),
                case .bytes(let bytes) = pair[1], let update = Digest(bytes),
                Int(index) > members.last?.index ?? -1
            else { throw .outOfRange(field: 6) }
            members.append(Member(index: Int(index), update: update))
        }
        self.members = members
        isFinal = try fields.bool(7)
        cutOffMilliseconds = UInt32(try fields.unsigned(8, max: UInt64(UInt32.max)))
        wallTime = try fields.unsigned(9, max: UInt64(Int64.max))
        commands = try fields.digests(10, max: ProtocolLimits.commandsMax)
        try fields.finish()
        for index in commands.indices.dropFirst() {
            guard commands[index - 1] < commands[index] else { throw .outOfRange(field: 10) }
        }
    }
}
