import AegisSimulation
import ArgumentParser
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
        /// Simulations altogether, those of earlier commands included.
        var simulationsMax = Int.max
    }

    private let workload: any Workload
    private let limits: Limits
    private let file: CampaignFile?
    private let state: Mutex<State>

    /// Places that one thread does at a time.
    private static let piece = 16

    private struct State {
        /// The first that no thread has begun.
        var begun: Int
        /// All before it are in the record.
        var record: CampaignRecord
        /// Pieces that ended before an earlier one did, by their first simulation.
        var waiting: [Int: (end: Int, [SimulationOutcome])] = [:]
        var progress = Progress()
        let start: Int
        var savedAt = 0.0
    }

    init(
        _ workload: any Workload, limits: Limits, record: CampaignRecord, file: CampaignFile?
    ) {
        self.workload = workload
        self.limits = limits
        self.file = file
        state = Mutex(State(begun: record.done, record: record, start: record.done))
    }

    /// Runs until all is done, enough has failed, or somebody asks to stop.
    func run() throws -> CampaignRecord {
        DispatchQueue.concurrentPerform(iterations: limits.threads) { _ in
            while let (piece, closed) = next() {
                finish(piece, outcomes(of: piece, without: closed))
            }
        }
        let record = state.withLock { state in
            state.progress.end()
            return state.record
        }
        try file?.save(record)
        return record
    }

    /// Runs, prints the result, and says whether all is done; a violation ends the command.
    func run(_ output: OutputFormat, rest: (Int) -> String) throws -> Bool {
        StopSignal.watch()
        let result = try run()
        let isDone =
            result.done >= workload.count || result.simulations >= limits.simulationsMax
        let isStopped = StopSignal.isRaised || limits.seconds != nil
        let report = CampaignReport(
            record: result, count: workload.count,
            rest: isStopped && !isDone ? rest(result.done) : nil)
        print(output == .json ? try report.json() : report.text)
        if !result.failures.isEmpty { throw ExitCode(1) }
        return isDone
    }

    private func next() -> (Range<Int>, closed: [Bool])? {
        state.withLock { state in
            guard state.begun < workload.count, !StopSignal.isRaised,
                state.record.simulations < limits.simulationsMax,
                limits.seconds.map({ state.progress.seconds < $0 }) ?? true
            else { return nil }
            let closed = state.record.tallies.map { $0.failures >= limits.failuresMax }
            guard closed.contains(false) else { return nil }
            let first = state.begun
            state.begun = min(workload.count, first + Self.piece)
            return (first..<state.begun, closed)
        }
    }

    private func outcomes(of piece: Range<Int>, without closed: [Bool]) -> [SimulationOutcome] {
        var outcomes: [SimulationOutcome] = []
        for index in piece {
            guard let (row, setup) = workload.simulation(at: index), !closed[row] else { continue }
            let start = Progress.cpuSeconds
            let report = setup.report()
            let seconds = Progress.cpuSeconds - start
            outcomes.append(
                SimulationOutcome(
                    index: index, row: row, heights: report.heights, events: report.events,
                    faults: report.faults, trace: report.trace, cpuSeconds: seconds,
                    failure: report.violation.map {
                        CampaignFailure(
                            report, $0, of: row, in: workload,
                            isMinimising: limits.isMinimising)
                    }))
        }
        return outcomes
    }

    private func finish(_ piece: Range<Int>, _ outcomes: [SimulationOutcome]) {
        let saved: CampaignRecord? = state.withLock { state in
            state.waiting[piece.lowerBound] = (piece.upperBound, outcomes)
            while let (end, outcomes) = state.waiting.removeValue(forKey: state.record.done) {
                state.record.add(outcomes, through: end, limits)
            }
            let (record, start, seconds) = (state.record, state.start, state.progress.seconds)
            state.progress.show {
                record.progress(of: workload.count, since: start, seconds: seconds, limits)
            }
            guard file != nil, seconds - state.savedAt > 30 else { return nil }
            state.savedAt = seconds
            return record
        }
        // Not the last word: the end saves again, and says so where it can't.
        if let saved { try? file?.save(saved) }
    }
}
