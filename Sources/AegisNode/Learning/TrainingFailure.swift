import AegisData
import AegisLearning
import AegisPrivacy
import AegisStore

/// Why a node gave no update, in words for the others and for its owner.
package enum TrainingFailure {
    package static func words(_ error: any Error) -> String {
        switch error {
        case BudgetError.exceeded(let scope, let spent, let asked, let budget):
            "privacy budget\(words(scope)): spent \(round(spent)), the round asks "
                + "\(round(asked)), allowed \(round(budget))"
        case BudgetError.tooLittleNoise(let noise, let least):
            "too little noise: the run's multiplier is \(noise), the owner's least \(least)"
        case BudgetError.deltaNotAllowed(let asked, let allowed):
            "the run's delta is \(asked), the owner allows \(allowed)"
        case BudgetError.recordsBelong(let dataset):
            "these records are charged to the data set \(dataset)"
        case LedgerFileError.outOfSequence:
            "the privacy ledger was written by another: the node must be restarted"
        case NodeError.datasetMissing(let name): "no data set \(name)"
        case TrainingRefusal.noPrivacyDeclared: "the run declares no privacy"
        case TrainingRefusal.releasedUpdateMissing:
            "the released update is gone and is not drawn again"
        case TrainingRefusal.ledgerLost(let dataset, let rounds):
            "the privacy ledger of \(dataset) is lost, and \(rounds) rounds of this participant "
                + "are known: its owner must say what was spent (aegis-node dataset recover)"
        case TrainingError.recordsDoNotFit:
            "the records have not the shape or the classes that the run declares"
        case TrainingError.diverged(let step):
            "training diverged in step \(step); a lower learning rate would help"
        case TrainingError.invalidPlan:
            "the run asks for views of records that are no images, or an impossible average"
        case TrainingError.countNoiseTooSmall:
            "the run's adaptive clipping has less noise on its count than its privacy allows"
        default: "training failed: \(DataWords(error)?.message ?? "\(error)")"
        }
    }

    private static func words(_ scope: BudgetScope) -> String {
        switch scope {
        case .lifetime: ""
        case .run: " of one run"
        case .period(let milliseconds): " of \(round(Double(milliseconds) / 86_400_000)) days"
        }
    }

    private static func round(_ epsilon: Double) -> String {
        "\((epsilon * 10_000).rounded() / 10_000)"
    }
}
