import AegisData
import AegisLearning
import AegisPrivacy

/// Why a node gave no update, in words for the others and for its owner.
package enum TrainingFailure {
    package static func words(_ error: any Error) -> String {
        switch error {
        case BudgetError.exceeded(let spent, let asked, let budget):
            "privacy budget: spent \(round(spent)), the round asks \(round(asked)), allowed "
                + "\(round(budget))"
        case NodeError.datasetMissing(let name): "no data set \(name)"
        case TrainingRefusal.noPrivacyDeclared: "the run declares no privacy"
        case TrainingRefusal.releasedUpdateMissing:
            "the released update is gone and is not drawn again"
        case TrainingError.diverged(let step):
            "training diverged in step \(step); a lower learning rate would help"
        case TrainingError.countNoiseTooSmall:
            "the run's adaptive clipping has less noise on its count than its privacy allows"
        default: "training failed: \(DataWords(error)?.message ?? "\(error)")"
        }
    }

    private static func round(_ epsilon: Double) -> String {
        "\((epsilon * 10_000).rounded() / 10_000)"
    }
}
