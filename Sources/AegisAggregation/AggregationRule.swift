package import AegisCore

/// How updates become one vector. A rule is a value: its parameters are part of what the mesh
/// agrees on. `byzantine` is f, the number of hostile updates it is to bear.
///
/// Every node computes the result itself and the mesh votes on its digest, so each rule is
/// bit-exact: binary64 in a fixed order, no fused multiply-add, no library function but the
/// square root, one rounding to float32 at the end, ties to the lowest index in order of node id.
package enum AggregationRule: Hashable, Sendable {
    /// The plain mean: bears no hostile update.
    case mean
    /// The mean by the updates' weights, examples in FedAvg (McMahan et al. 2017).
    case weightedMean
    /// Per coordinate; the mean of the two middle values of an even number (Yin et al. 2018).
    case median
    /// Per coordinate the value at half of the total weight.
    case weightedMedian
    /// Per coordinate without the f smallest and f largest values (Yin et al. 2018, Definition 2).
    case trimmedMean(byzantine: Int)
    /// The same with trunc(β·n) values left out on each side; β is in 0..<0.5.
    case trimmedMeanFraction(Double)
    /// Per coordinate without the weight that f updates can have at most, on each side.
    case weightedTrimmedMean(byzantine: Int)
    /// Per coordinate the mean of the n−f values nearest the median (Xie et al. 2018, "meamed").
    case meanAroundMedian(byzantine: Int)
    /// The update with the least sum of squared distances to its n−f−2 nearest others (Blanchard
    /// et al. 2017, §4).
    case krum(byzantine: Int)
    /// The mean of the `kept` updates of least Krum score, n−f of them where it is nil.
    case multiKrum(byzantine: Int, kept: Int?)
    /// Picks n−2f updates one by one with Krum; then per coordinate the mean of the n−4f values
    /// nearest their median (El Mhamdi et al. 2018, §4).
    case bulyan(byzantine: Int)
    /// The point with the least sum of distances to the updates.
    case geometricMedian
    /// A fixed number of Weiszfeld steps with distances of at least `smoothing` (ν, in units of an
    /// update's norm), from zero or from the mean (Pillutla et al. 2022, Algorithm 2).
    case smoothedWeiszfeld(smoothing: Double, steps: Int, fromMean: Bool)
    /// v ← v + 1/n Σ (xᵢ−v)·min(1, τ/‖xᵢ−v‖), `steps` times, from the reference or from zero
    /// (Karimireddy et al. 2021, Algorithm 2). τ is in units of an update's norm.
    case centeredClipping(radius: Double, steps: Int)
    /// The mean of the n−f updates whose largest distance is least (El Mhamdi et al. 2018).
    case minimumDiameter(byzantine: Int)
    /// The mean of the n−f updates nearest one's own (Farhadkhani et al. 2023): every node's
    /// result is another, so no mesh can vote on it.
    case monna(byzantine: Int, own: NodeID)
    /// Updates rescaled to the reference's norm and weighted by the positive part of their cosine
    /// with it; the reference comes from trusted data (Cao et al. 2021).
    case trustByReference
}

/// What happens to the updates before a rule sees them, one after the other.
package enum PreStep: Hashable, Sendable {
    /// Every update becomes the mean of the n−f updates nearest it, itself included (Allouah et
    /// al. 2023, "NNM").
    case nearestNeighbourMixing(byzantine: Int)
    /// The updates in a random order, averaged in groups of `size`; the last may be smaller
    /// (Karimireddy et al. 2022).
    case bucketing(size: Int, order: BucketOrder)
    /// The ⌊2f/n·(n−f)⌋ longest updates are shortened to the length of the next (Allouah et al.
    /// 2025, "ARC").
    case adaptiveClipping(byzantine: Int)
    /// Updates longer than `radius` are shortened to it.
    case normClipping(radius: Double)
}

/// The order of the updates in buckets.
package enum BucketOrder: Hashable, Sendable {
    /// Position k of the order holds the update with this index.
    case permutation([Int])
    /// Drawn from a digest that nobody could know before the updates were fixed: the digest of
    /// the list of the updates' digests.
    case seed(Digest)
}

/// One participant's update, as a rule sees it.
package struct NodeUpdate {
    package let node: NodeID
    /// What the weighted rules use: the public weight the participant signed, already capped.
    package let weight: Double
    package let values: any UpdateSource

    package init(node: NodeID, weight: Double = 1, values: any UpdateSource) {
        self.node = node
        self.weight = weight
        self.values = values
    }
}

/// Why a rule has no result.
package enum AggregationError: Error, Hashable, Sendable {
    case empty
    /// The rule needs more updates than these to bear its f.
    case tooFewUpdates(count: Int, needed: Int)
    case wrongShape(node: NodeID, expected: Int, actual: Int)
    case duplicate(NodeID)
    /// An infinite value or none at all. `IntakeCheck` refuses such an update before.
    case updateNotFinite(node: NodeID)
    /// Base and aggregate are finite, their sum is not.
    case notFinite(index: Int)
    /// Multi-Krum keeps between one and n−f updates.
    case keptOutOfRange(kept: Int, max: Int)
    /// Negative, not finite, or without a sum.
    case badWeights
    /// No update points the way of the reference.
    case noTrust
    case missingReference
    case referenceOfWrongShape(expected: Int, actual: Int)
    case unknownNode(NodeID)
    /// A parameter outside its range.
    case badParameter(String)
    /// The exact search would take too long for these n and f.
    case tooCostly
}
