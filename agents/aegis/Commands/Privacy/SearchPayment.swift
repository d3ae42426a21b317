import AegisCore
import AegisCrypto
import AegisPrivacy
import AegisStore
package import ArgumentParser
import Foundation

/// Whose records a search looks at.
package enum SearchedRecords: String, ExpressibleByArgument, CaseIterable, Sendable {
    /// Anyone may see them.
    case `public`
    /// Made up, or somebody else's, in place of the private ones.
    case standIn = "stand-in"
    case `private`
}

/// How a search is paid for.
package struct SearchPayment: ParsableArguments {
    @Option(
        help: "public, stand-in or private; a declared data set is private until it is said.")
    package var records: SearchedRecords?

    @Option(help: "Charge a private search to this ledger: a node's folder, or its ledger's file.")
    package var charge: String?

    @Option(help: "The data set's name in that ledger; may be left out where there is only one.")
    package var ledgerDataset: String?

    @Option(help: "Random stopping: the chance to end after each training, from 0.001 to 1.")
    package var stopping: Double?

    package init() {}

    /// A payment that fits the records.
    struct Checked {
        let records: SearchedRecords
        let data: PilotData
        fileprivate let ledger: String?
        fileprivate let dataset: String?
        /// ε of the search at the ledger's δ, once it is charged.
        fileprivate(set) var charged: Double?

        var isPrivate: Bool { records == .private }
        /// Whether every training's result may be told.
        var tellsAll: Bool { !isPrivate || ledger != nil }
    }

    func checked(dataset: String) throws(Failure) -> Checked {
        let isBuiltIn = !dataset.contains(".") && !dataset.contains("/")
        let records = records ?? (isBuiltIn ? .public : .private)
        guard records == .private else {
            guard charge == nil, stopping == nil else {
                throw Failure(
                    .usage, "\(records.rawValue) records are not charged",
                    hint: "leave out --charge and --stopping")
            }
            let data = records == .public ? PilotData.published : .standIn
            return Checked(records: records, data: data, ledger: nil, dataset: nil)
        }
        switch (charge, stopping) {
        case (nil, nil):
            throw Failure(
                .invalidInput, "a search on private records must be paid for",
                hint: "give --charge LEDGER or --stopping CHANCE; or --records public or stand-in, "
                    + "if that is what they are")
        case (.some, .some):
            throw Failure(.usage, "give one of --charge and --stopping")
        case (let ledger?, nil):
            // Each training is paid for in full, so they may be as many as they like.
            return Checked(
                records: records, data: .standIn, ledger: ledger, dataset: ledgerDataset)
        case (nil, let stopping?):
            guard let charge = TuningCharge(stopping: stopping) else {
                throw Failure(.usage, "--stopping is from 0.001 to 1")
            }
            return Checked(
                records: records, data: .privateRecords(charge), ledger: nil, dataset: nil)
        }
    }
}

extension SearchPayment.Checked {
    /// Charges `trainings` trainings at the least noise to the ledger, on the disk when it returns.
    /// What was charged stays charged, whatever becomes of the search.
    mutating func charge(_ targeting: AccuracyTargeting, trainings: Int) throws {
        guard let ledger else { return }
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: ledger, isDirectory: &isFolder)
        guard exists else { throw Failure(.notFound, "there is no ledger in \(ledger)") }
        let path = isFolder.boolValue ? ledger + "/ledger.sqlite" : ledger
        charged = try LedgerFailure.reporting {
            let known =
                isFolder.boolValue
                ? try NodeLedgerAnchors(reading: ledger + "/node.sqlite") : NodeLedgerAnchors()
            let name = try dataset(in: LedgerFile(reading: path))
            // The lock: a node that is running keeps its ledger to itself.
            let file = try LedgerFile(path: path)
            guard
                let before = try LedgerBook.ledger(of: name, in: file, anchor: known[name])
            else { throw LedgerFileError.missing(path: path) }
            guard
                let sampler = PoissonSampler(
                    samplingRate: targeting.samplingRate,
                    noiseMultiplier: targeting.noise.lowerBound, recordCount: 0),
                let charge = Charge(
                    event: sampler.event(afterSteps: targeting.steps * trainings), noise: .fast,
                    delta: before.budget.delta)
            else { throw Failure(.usage, "these numbers can't be charged") }
            var book = LedgerBook(file: file, anchors: AnchorsOfNobody())
            let now = UInt64(max(0, Date().timeIntervalSince1970) * 1_000)
            try book.open(name, policy: before.policy, at: now)
            var generator = CryptographicGenerator()
            let run = (0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) }
            do {
                _ = try book.reserve(
                    ReleaseKey(run: run, round: 0), of: name, for: charge, at: now)
            } catch let error as BudgetError {
                throw Failure(.invalidInput, "the ledger refuses the search: \(error)")
            }
            return PrivacyAccountant([PrivacyPhase(charge.event)])
                .epsilon(atDelta: before.budget.delta)
        }
    }

    private func dataset(in file: LedgerFile) throws -> String {
        let names = try file.datasets()
        if let dataset {
            guard names.contains(dataset) else {
                throw Failure(.notFound, "\(file.path) has no ledger of \(dataset)")
            }
            return dataset
        }
        guard names.count == 1 else {
            throw Failure(
                .usage, "\(file.path) has \(names.count) ledgers",
                hint: "choose one with --ledger-dataset: " + names.joined(separator: ", "))
        }
        return names[0]
    }

    func words(searchEpsilon: Double) -> String {
        let epsilon = PrivacyEpsilon.shown(searchEpsilon)
        return switch records {
        case .public: "the search cost nothing: the records are public"
        case .standIn: "the search cost nothing: the records stand in for the private ones"
        case .private where ledger != nil:
            "the search cost epsilon \(epsilon), which is in the ledger; the run is charged besides"
        case .private:
            "the search cost epsilon \(epsilon) (random stopping), a run is charged besides; "
                + "no ledger knows of it"
        }
    }
}

/// A node catches its anchor up with its ledger at its next start.
private struct AnchorsOfNobody: LedgerAnchorStore {
    func ledgerAnchor(of dataset: String) -> LedgerAnchor? { nil }
    func setLedgerAnchor(_ anchor: LedgerAnchor, of dataset: String) {}
}
