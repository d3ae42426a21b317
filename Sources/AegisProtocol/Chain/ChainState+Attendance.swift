package import AegisCore

/// What the headers of rounds say of a participant's presence.
package struct Attendance: Hashable, Sendable {
    /// Rounds since its update was included.
    package var missed: UInt16 = 0
    /// Rounds since its update was included or its HaveList carried.
    package var absent: UInt16 = 0
}

// Who takes part, and who has gone: pure functions of the headers (PROTOCOL.md §2.5, §2.10).
extension ChainState {
    /// T_soft of the round that is worked on, the same on every node.
    package var softMilliseconds: Int? {
        active.map {
            $0.specification.deadlines.softMilliseconds(
                round: $0.round, tookMilliseconds: $0.tookMilliseconds, attendance: attendance)
        }
    }

    /// By place in the roster that decides this header.
    func attendance(after header: Header) -> [Attendance] {
        guard header.kind == .round else { return attendance }
        return attendance.enumerated().map { index, before in
            var next = before
            let isIncluded = header.included.contains(index)
            next.missed = isIncluded ? 0 : min(before.missed + 1, 1_000)
            next.absent =
                isIncluded || header.listSenders.contains(index) ? 0 : min(before.absent + 1, 1_000)
            return next
        }
    }

    /// Of those whom nobody has heard of for K rounds one loses its vote and learns again: who has
    /// been away for longest, the first in the roster. Never below four. The quorum that decides
    /// this counts it still, so a minority can't shrink the mesh to itself.
    mutating func demoteAbsent(_ attendance: [Attendance], of old: Roster) {
        let rounds = UInt16(breaches.contains(.hastyDemotion) ? 5 : ProtocolLimits.absentRoundsMax)
        guard !breaches.contains(.absentKept),
            roster.count > ProtocolLimits.participantsKept || breaches.contains(.hastyDemotion)
        else { return }
        var gone: Int?
        for index in attendance.indices
        where attendance[index].absent >= rounds && roster.contains(old.entries[index].node) {
            if gone.map({ attendance[$0].absent < attendance[index].absent }) ?? true {
                gone = index
            }
        }
        guard let gone, roster.count > 1,
            let next = roster.demoting(old.entries[gone].node, to: .learner)
        else { return }
        roster = next
    }

    /// The roster after a round with this header.
    func roster(afterRound header: Header) throws(ChainError) -> Roster {
        var next = self
        try next.convict(header.convicted, of: roster)
        next.demoteAbsent(attendance(after: header), of: roster)
        return next.roster == roster ? roster : next.roster.numbered(roster.epoch + 1)
    }

    /// After a decision, of the participants that there are now.
    mutating func setAttendance(_ attendance: [Attendance], of old: Roster) {
        guard roster != old else { return self.attendance = attendance }
        self.attendance = roster.entries.map { entry in
            old.index(of: entry.node).map { attendance[$0] } ?? Attendance()
        }
    }
}
