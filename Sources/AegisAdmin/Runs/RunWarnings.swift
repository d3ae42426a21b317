package import AegisProtocol
import AegisReport

/// What a run that is allowed may still not do: said when it is submitted, and kept with it.
package struct RunWarnings {
    /// d·s²/C² with s = C·σ/B, the deviation that the noise of a step has in each coordinate of
    /// an averaged gradient: the noise's squared length over the largest that a gradient can have.
    /// Nil without privacy and for declared layers. Above 1 a robust rule sees mostly noise
    /// (Guerraoui et al. 2021; Allouah et al. 2023).
    package let noiseToSignal: Double?
    package let texts: [String]

    /// `faultTolerance` is the mesh's own f, of its votes.
    package init(_ run: RunSpecification, faultTolerance: Int) {
        let noiseToSignal = Self.noiseToSignal(run)
        self.noiseToSignal = noiseToSignal
        var texts: [String] = []
        if let noiseToSignal, noiseToSignal > 1, run.aggregation.byzantine > 0 {
            texts.append(Self.noise(run, noiseToSignal))
        }
        if run.aggregation.byzantine > faultTolerance {
            texts.append(
                "byzantine is \(run.aggregation.byzantine), but more than \(faultTolerance) "
                    + "hostile of these participants can stop every vote")
        }
        self.texts = texts
    }

    private static func noiseToSignal(_ run: RunSpecification) -> Double? {
        guard let privacy = run.privacy, let count = run.parameterCount else { return nil }
        let ratio =
            Double(privacy.noiseMultiplierMillionths) / 1e6 / Double(run.training.expectedBatch)
        return Double(count) * ratio * ratio
    }

    private static func noise(_ run: RunSpecification, _ noiseToSignal: Double) -> String {
        let name = run.aggregation.name
        let effect =
            run.aggregation.usesDistances
            ? "all updates look equally far apart, and \(name) picks by chance"
            : "\(name) can hide a hostile update no better than in the noise"
        let batch = Double(run.training.expectedBatch) * noiseToSignal.squareRoot()
        return "noise to signal is \(Decimal.fixed(noiseToSignal, places: 2)) in each step "
            + "(d = \(run.parameterCount ?? 0)): \(effect). It is below 1 from an "
            + "expected_batch of \(Int(batch.rounded(.up))) on, or with a smaller model; "
            + "see docs/AGGREGATION.md"
    }
}

extension AggregationDeclaration {
    /// Whether it tells updates apart by how far they are from each other.
    fileprivate var usesDistances: Bool {
        if preSteps.contains(.mixing) { return true }
        return switch rule {
        case .krum, .multiKrum, .bulyan, .minimumDiameter: true
        case .mean, .weightedMean, .median, .weightedMedian, .trimmedMean, .weightedTrimmedMean,
            .meanAroundMedian, .geometricMedian, .smoothedWeiszfeld, .centeredClipping:
            false
        }
    }
}

extension RunSpecification {
    /// d of the run's model. Nil for declared layers: only who can hold the model counts those.
    fileprivate var parameterCount: Int? {
        let (inputs, classes) = (records.shape.reduce(1, *), records.classes)
        switch model {
        case .softmax: return (inputs + 1) * classes
        case .multilayerPerceptron(let hidden):
            let widths = [inputs] + hidden + [classes]
            return zip(widths, widths.dropFirst()).reduce(0) { $0 + ($1.0 + 1) * $1.1 }
        case .convolutional: return 25_680 + 33 * classes
        case .scatterLinear: return 3_970 * classes
        case .layers: return nil
        case .none(let parameters): return parameters
        }
    }
}
