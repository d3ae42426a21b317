/// Who can talk to whom, and who coordinates, in each of the first views of a height: a scenario of
/// Twins (arXiv 2004.10617). The first node of the roster runs twice with one key. What comes after
/// the last of these views is not disturbed any more.
package struct TwinsSchedule: Hashable, Sendable, CustomStringConvertible {
    /// One view.
    package struct Step: Hashable, Sendable, Comparable {
        /// Of each process the set it is in: the first twin, the second twin, the other nodes in
        /// the order of the roster. Sets are numbered in the order of their first member.
        package let sets: [UInt8]
        /// The place in the roster of the coordinator.
        package let coordinator: UInt8

        package init(sets: [UInt8], coordinator: UInt8) {
            self.sets = sets
            self.coordinator = coordinator
        }

        package static func < (left: Step, right: Step) -> Bool {
            left.sets == right.sets
                ? left.coordinator < right.coordinator
                : left.sets.lexicographicallyPrecedes(right.sets)
        }
    }

    package let steps: [Step]

    package init(_ steps: [Step]) { self.steps = steps }

    /// Whether what one process says in a view reaches another in that view.
    func joins(_ process: Int, _ other: Int, in view: UInt32) -> Bool {
        guard Int(view) < steps.count else { return true }
        let sets = steps[Int(view)].sets
        return sets[process] == sets[other]
    }

    /// The same without a cut in this view.
    func joining(_ view: Int) -> TwinsSchedule {
        var steps = steps
        steps[view] = Step(
            sets: steps[view].sets.map { _ in 0 }, coordinator: steps[view].coordinator)
        return TwinsSchedule(steps)
    }

    /// `01021:0,00000:2`: of each view the sets of the processes, then the coordinator's place.
    package var description: String {
        steps.map { step in
            step.sets.map { String($0, radix: 36) }.joined() + ":" + String(step.coordinator)
        }.joined(separator: ",")
    }

    /// Reads what `description` gives.
    package init?(_ text: String, nodes: Int) {
        var steps: [Step] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let halves = part.split(separator: ":", omittingEmptySubsequences: false)
            guard halves.count == 2, let coordinator = UInt8(halves[1]), coordinator < nodes,
                halves[0].count == nodes + 1
            else { return nil }
            var sets: [UInt8] = []
            for character in halves[0] {
                guard let set = UInt8(String(character), radix: 36), set <= (sets.max() ?? 0) + 1
                else { return nil }
                sets.append(set)
            }
            steps.append(Step(sets: sets, coordinator: coordinator))
        }
        self.steps = steps
    }
}
