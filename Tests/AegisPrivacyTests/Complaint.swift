import Testing

/// What users of other libraries complained about in public, and the tests that keep it from
/// happening here.
struct Complaint: CustomTestStringConvertible, Sendable {
    let number: Int
    let text: String
    /// Each a file and how the name of a test in it begins.
    let tests: [String]

    var testDescription: String { "\(number): \(text)" }

    init(_ number: Int, _ text: String, _ tests: String...) {
        self.number = number
        self.text = text
        self.tests = tests
    }

    static let all = [
        Complaint(
            1,
            "epsilon is computed for Poisson samples while the data is shuffled in fixed batches",
            "AegisPrivacyTests/PoissonSamplerTests: the event says what was drawn, the empty",
            "AegisPrivacyTests/PrivacyLedgerTests: a sampler that drew more than was reserved"),
        Complaint(
            2,
            "another sampler changes the sampling rate silently",
            "AegisPrivacyTests/PoissonSamplerTests: the event says what was drawn, the empty"),
        Complaint(
            3,
            "Poisson samples are drawn as a binomial count and a choice",
            "AegisPrivacyTests/PoissonSamplerTests: each record is drawn with rate q,"),
        Complaint(
            4,
            "the sum is divided by a count of private records",
            "AegisLearningTests/TrainerTests: one full-batch step is the clipped sum over B,",
            "AegisLearningTests/TrainerTests: a step of empty draws is noise of σ·C/B alone,"),
        Complaint(
            5,
            "the budget is lost when training is saved and resumed",
            "AegisStoreTests/LedgerBookTests: a ledger goes on where it was, whatever died in",
            "AegisStoreTests/LedgerPowerCutTests: a thousand cuts at random, one life after",
            "AegisPrivacyTests/PrivacyLedgerTests: a crash between reservation and release"),
        Complaint(
            6,
            "accounting starts anew in every round, job and process",
            "AegisStoreTests/RejoinTests: no more is paid for than in one life, whatever is new",
            "AegisPrivacyTests/OwnerPolicyTests: a period slides: what is older than it does"),
        Complaint(
            7,
            "epsilons are added up over clients, or not reported",
            "AegisNodeTests/TrainingDeskTests: an update is charged, stored and described",
            "AegisStoreTests/LedgerBookTests: records that one ledger pays for have no second"),
        Complaint(
            8,
            "noise by a formula for one release, without composition, or none at all",
            "AegisPrivacyTests/PrivacyAccountantTests: without sampling epsilon is the exact",
            "AegisPrivacyTests/OwnerPolicyTests: too little noise and too large a δ are refused"),
        Complaint(
            9,
            "empty draws crash",
            "AegisLearningTests/TrainerTests: a step of empty draws is noise of σ·C/B alone,",
            "AegisLearningTests/GradientTests: an empty draw has a zero sum"),
        Complaint(
            10,
            "virtual batches change length and scale of a step",
            "AegisLearningTests/OptimizerTests: two threads and small micro-batches make the"),
        Complaint(
            11,
            "asking the accountant changes it, and phases are counted for steps",
            "AegisPrivacyTests/ComplaintTests: asking changes nothing, however often",
            "AegisPrivacyTests/PrivacyAccountantTests: the order of phases and how they are cut"),
        Complaint(
            12,
            "calibration exceeds its target, or wastes noise",
            "AegisPrivacyTests/ComplaintTests: calibration never exceeds its target, and wastes",
            "AegisPrivacyTests/PrivacyAccountantTests: noise is within 0.5 % of the peers', its"),
        Complaint(
            13,
            "no answer for large epsilons, few steps or tiny deltas",
            "AegisPrivacyTests/PrivacyAccountantTests: the wildest mechanisms have a finite",
            "AegisPrivacyTests/PrivacyAccountantTests: a thousand million draws at a rate of"),
        Complaint(
            14,
            "calibration for an epsilon of 0.01 never ends",
            "AegisPrivacyTests/ComplaintTests: calibration never exceeds its target, and wastes"),
        Complaint(
            15,
            "gradients of single records are slow and take gigabytes",
            "AegisLearningTests/GradientTests: kept, Gram and twice formed give the same",
            "AegisLearningTests/OptimizerTests: two threads and small micro-batches make the"),
        Complaint(
            16,
            "micro-batches of several records have another sensitivity",
            "AegisLearningTests/SumSensitivityTests: one record more or less moves the sum by",
            "AegisLearningTests/GradientTests: no record's part is longer than the clip norm,"),
        Complaint(
            17,
            "ghost clipping gives other results than clipping one by one",
            "AegisLearningTests/GradientTests: the clipped sum is that of gradients formed one"),
        Complaint(
            18,
            "adaptive clipping is charged wrongly",
            "AegisLearningTests/OptimizerTests: adaptive clipping finds the quantile, and its"),
        Complaint(
            19,
            "floating-point noise leaks",
            "AegisPrivacyTests/NoiseTests: exact: what is released lies on the grid, whatever",
            "AegisPrivacyTests/NoiseTests: exact: neighbouring sums, rounded, differ by no more"),
        Complaint(
            20,
            "the time of an exact sampler tells how large the noise is",
            "AegisPrivacyTests/NoiseTests: exact: what is drawn, and how much, does not depend"),
        Complaint(
            21,
            "noise comes from a weak generator, or from a shared seed",
            "AegisPrivacyTests/NoiseTests: Kolmogorov and Smirnov find no difference to N(0, 1)",
            "AegisPrivacyTests/NoiseTests: no value tells of its neighbours: autocorrelation of"),
        Complaint(
            22,
            "the search for settings is not charged",
            "AegisPrivacyTests/AccuracyTargetingTests: private records are not touched by a",
            "aegisTests/PrivacyTargetTests: a private search is in the ledger before it begins,"),
        Complaint(
            23,
            "batch normalisation is replaced silently",
            "AegisLearningTests/ModelTests: batch normalisation is refused: it mixes records"),
        Complaint(
            24,
            "layers without a gradient of single records stop training",
            "AegisLearningTests/TorchTests: outputs, loss, norms, gradients and clipped",
            "AegisLearningTests/ModelDescriptionTests: every kind of layer is read back"),
        Complaint(
            25,
            "whole updates are clipped and noised at a guessed sampling rate",
            "AegisPrivacyTests/ComplaintTests: rates of exactly one and next to it are",
            "AegisNodeTests/PrivacyDeskTests: a charge is on the disk before the data is"),
        Complaint(
            26,
            "nobody can check that it protects",
            "AegisPrivacyTests/AuditTests: the bound lies below the exact ε and above 80 % of",
            "AegisPrivacyTests/AuditTests: an implementation with half the noise is caught",
            "AegisLearningTests/CanaryAuditTests: training with half the noise is caught"),
        Complaint(
            27,
            "a sampling rate of one gives log 0",
            "AegisPrivacyTests/ComplaintTests: rates of exactly one and next to it are"),
    ]
}
