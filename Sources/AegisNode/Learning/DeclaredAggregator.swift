import AegisAPI
package import AegisAggregation
package import AegisCore
import AegisCrypto
package import AegisProtocol
import Glibc

extension AggregationDeclaration {
    /// What a run declares, as AegisAggregation computes it. `seed` orders the buckets.
    package func aggregator(seed: Digest) -> Aggregator {
        Aggregator(
            preSteps: preSteps.map { self.preStep($0, seed: seed) }, rule: rule(),
            execution: Execution(threads: min(4, sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
    }

    private func preStep(_ step: PreStep, seed: Digest) -> AegisAggregation.PreStep {
        switch step {
        case .mixing: .nearestNeighbourMixing(byzantine: byzantine)
        case .bucketing: .bucketing(size: parameters[.bucketSize] ?? 1, order: .seed(seed))
        case .adaptiveClipping: .adaptiveClipping(byzantine: byzantine)
        case .clipping: .normClipping(radius: length(.clipRadius))
        }
    }

    private func rule() -> AggregationRule {
        switch rule {
        case .mean: .mean
        case .weightedMean: .weightedMean
        case .median: .median
        case .weightedMedian: .weightedMedian
        case .trimmedMean: .trimmedMean(byzantine: byzantine)
        case .weightedTrimmedMean: .weightedTrimmedMean(byzantine: byzantine)
        case .meanAroundMedian: .meanAroundMedian(byzantine: byzantine)
        case .krum: .krum(byzantine: byzantine)
        case .multiKrum: .multiKrum(byzantine: byzantine, kept: parameters[.kept])
        case .bulyan: .bulyan(byzantine: byzantine)
        case .geometricMedian: .geometricMedian
        case .smoothedWeiszfeld:
            .smoothedWeiszfeld(
                smoothing: length(.smoothing), steps: parameters[.steps] ?? 1, fromMean: true)
        case .centeredClipping:
            .centeredClipping(radius: length(.radius), steps: parameters[.steps] ?? 1)
        case .minimumDiameter: .minimumDiameter(byzantine: byzantine)
        }
    }

    private func length(_ parameter: Parameter) -> Double {
        Double(parameters[parameter] ?? 0) / 1_000_000
    }
}

extension AggregateRequest {
    /// Names the list of signed updates, as the round's commit does. Nobody knows it before the
    /// updates are fixed, so it orders the buckets.
    var includedDigest: Digest {
        SHA256.digest(of: CBOR.array(parts.map { .digest($0.update) }).encoded)
    }
}

extension RoundExplanation {
    init(_ explanation: Explanation, rule: String) {
        self.init(
            rule: rule, scoreMeaning: explanation.meaning.rawValue,
            verdicts: explanation.verdicts.map {
                Verdict(
                    node: $0.node.text, isKept: $0.isKept, share: $0.share,
                    score: $0.score.isFinite ? $0.score : 0)
            })
    }
}
