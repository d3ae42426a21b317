import AegisSimulation
import Foundation
import Synchronization

/// Scenarios under many seeds, on several threads. The result is that of the simulations one after
/// the other, as far as they went.
final class Campaign: Sendable {
    struct Limits {
        var failuresMax = 1
        var seconds: Double?
        var isMinimising = true
        var threads = 1
    }

    let order: SimulationOrder
    let plan: SetupPlan
    private let limits: Limits
    private let file: CampaignFile?
    private let state: Mutex<State>

    /// Simulations that one thread does at a time.
    private static let piece = 16

    private struct State {
        /// The first that no thread has begun.
        var begun: Int
        /// All before it are in the record.
        var record: CampaignRecord
        /// Pieces that ended before an earlier one did, by their first simulation.
        var waiting: [Int: [SimulationOutcome]] = [:]
        var progress = Progress()
        let start: Int
        var savedAt = 0.0
    }

    init(
        _ order: SimulationOrder, plan: SetupPlan, limits: Limits, record: CampaignRecord,
        file: CampaignFile?
    ) {
        self.order = order
        self.plan = plan
        self.limits = limits
        self.file = file
        state = Mutex(State(begun: record.done, record: record, start: record.done))
    }

    /// Runs until all is done, enough has failed, or somebody asks to stop.
    func run() throws -> CampaignRecord {
        DispatchQueue.concurrentPerform(iterations: limits.threads) { _ in
            while let (piece, closed) = next() {
                finish(piece.lowerBound, outcomes(of: piece, without: closed))
            }
        }
        let record = state.withLock { state in
            state.progress.end()
            return state.record
        }
        try file?.save(record)
        return record
    }

    private func next() -> (Range<Int>, closed: [Bool])? {
        state.withLock { state in
            guard state.begun < order.count, !StopSignal.isRaised,
                limits.seconds.map({ state.progress.seconds < $0 }) ?? true
            else { return nil }
            let closed = state.record.tallies.map { $0.failures >= limits.failuresMax }
            guard closed.contains(false) else { return nil }
            let first = state.begun
            state.begun = min(order.count, first + Self.piece)
            return (first..<state.begun, closed)
        }
    }

    private func outcomes(of piece: Range<Int>, without closed: [Bool]) -> [SimulationOutcome] {
        var outcomes: [SimulationOutcome] = []
        for index in piece {
            let (number, seed) = order[index]
            guard !closed[number] else { continue }
            let scenario = order.scenarios[number]
            let start = Progress.cpuSeconds
            let report = plan.setup(seed, of: scenario).report()
            let seconds = Progress.cpuSeconds - start
            outcomes.append(
                SimulationOutcome(
                    scenario: number, heights: report.heights, events: report.events,
                    faults: report.faults, trace: report.trace, cpuSeconds: seconds,
                    failure: report.violation.map {
                        CampaignFailure(
                            report, $0, of: scenario, plan: plan,
                            isMinimising: limits.isMinimising)
                    }))
        }
        return outcomes
    }

    private func finish(_ first: Int, _ outcomes: [SimulationOutcome]) {
        let saved: CampaignRecord? = state.withLock { state in
            state.waiting[first] = outcomes
            while let outcomes = state.waiting.removeValue(forKey: state.record.done) {
                for outcome in outcomes {
                    // What a thread did of a scenario that had failed often enough doesn't count.
                    guard
                        state.record.tallies[outcome.scenario].failures < limits.failuresMax
                    else { continue }
                    state.record.add(outcome)
                }
                state.record.done = min(order.count, state.record.done + Self.piece)
            }
            let (record, start, seconds) = (state.record, state.start, state.progress.seconds)
            state.progress.show {
                record.progress(of: order.count, since: start, seconds: seconds)
            }
            guard file != nil, seconds - state.savedAt > 30 else { return nil }
            state.savedAt = seconds
            return record
        }
        // Not the last word: the end saves again, and says so where it can't.
        if let saved { try? file?.save(saved) }
    }
}
