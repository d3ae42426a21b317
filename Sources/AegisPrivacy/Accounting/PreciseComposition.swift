import Glibc

/// The composed privacy loss like `LossComposition`, in 106 bits: where a loss has so heavy a tail
/// that no tilt brings what matters near the middle of binary64's range, as with many draws at a
/// tiny rate.
struct PreciseComposition {
    private let plan: LatticePlan
    private let transform: PreciseFFT
    private var spectrum: [PreciseComplex]
    /// Bounds the sum over all frequencies of the spectrum's error.
    private var spectrumError = 0.0
    private var totals = CompositionTotals()

    init(_ plan: LatticePlan) {
        self.plan = plan
        transform = PreciseFFT(count: plan.count)
        spectrum = [PreciseComplex](repeating: .one, count: plan.count / 2 + 1)
    }

    /// Adds `steps` uses.
    mutating func compose(_ lattice: LatticeLoss, steps: Int) {
        totals.add(LatticeMoments(lattice, plan), steps: steps)
        let uses = Double(steps)
        let one = transform.forward(lattice.folded(plan.count))
        // The masses sum to one: so much at any frequency.
        let errorOfOne = 1.01 * transform.relativeError * Double(plan.count).squareRoot()
        var error = 0.0
        for k in spectrum.indices {
            let before = spectrum[k].square.squareRoot()
            let square = one[k].square
            // |f̂|^steps ≤ e^{−steps·(1 − |f̂|²)/2}; below e^{−250} it counts as an error.
            if uses * (1 - square) > 500 {
                spectrum[k] = .zero
                error += 1e-108 * before
                continue
            }
            spectrum[k] = spectrum[k] * one[k].power(steps)
            let relative = uses * (errorOfOne / square.squareRoot() + 0x1p-99)
            if relative < 0.1 {
                error += 1.06 * relative * spectrum[k].square.squareRoot()
            } else {
                error += before * min(1, pow(11 * uses * (errorOfOne + 0x1p-99), uses))
            }
        }
        // Both halves of the frequencies.
        spectrumError += 2 * error
    }

    func tail() -> LossTail {
        let masses = transform.inverse(spectrum)
        let squares = spectrum.reduce(0) { $0 + 2 * $1.square }
        let size = Double(plan.count)
        let error =
            spectrumError / size + transform.relativeError * (squares / size).squareRoot()
        return totals.tail(plan, masses: masses, error: error)
    }
}
