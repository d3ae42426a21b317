import Glibc

/// The composed privacy loss like `LossComposition`, in 106 bits: where a loss has so heavy a tail
/// that no tilt brings what matters near the middle of binary64's range, as with many draws at a
/// tiny rate.
struct PreciseComposition {
    private let plan: LatticePlan
    private let transform: PreciseFFT
    private var spectrum: PreciseSpectrum
    /// Bounds the sum over all frequencies of the spectrum's error.
    private var spectrumError = 0.0
    private var totals = CompositionTotals()
    /// By how many lattice points the masses are moved down.
    private var rotation = 0

    init(_ plan: LatticePlan) {
        self.plan = plan
        transform = PreciseFFT(count: plan.count)
        spectrum = PreciseSpectrum(count: plan.count / 2 + 1)
        for k in spectrum.indices { spectrum[k] = .one }
    }

    /// Adds `steps` uses.
    mutating func compose(_ lattice: LatticeLoss, steps: Int) {
        totals.add(LatticeMoments(lattice, plan), steps: steps)
        let uses = Double(steps)
        var folded = lattice.folded(plan.count)
        // The largest mass comes first and is left out of the transform: its own is exact, and the
        // error is a share of the others.
        var largest = 0
        for index in folded.indices where folded[index] > folded[largest] { largest = index }
        folded = Array(folded[largest...] + folded[..<largest])
        rotation = rotation &+ steps &* largest
        let atom = folded[0]
        folded[0] = 0
        let (rest, squares) = folded.reduce((0.0, 0.0)) { ($0.0 + $1, $0.1 + $1 * $1) }
        var one = transform.forward(folded)
        one.addToReal(atom)
        let norm = min(rest, (squares * Double(plan.count)).squareRoot())
        let errorOfOne = 1.01 * transform.relativeError * norm + 0x1p-103
        // |f̂|^steps ≤ e^{−steps·(1 − |f̂|²)/2}; below e^{−250} it counts as an error.
        let least = 1 - 500 / uses
        let worst = min(1, pow(11 * uses * (errorOfOne + 0x1p-99), uses))
        let before = spectrum.indices.map { spectrum.square($0).squareRoot() }
        transform.multiply(&spectrum, byPower: steps, of: one, least: least)
        var error = 0.0
        for k in spectrum.indices {
            let square = one.square(k)
            if square < least {
                error += 1e-108 * before[k]
                continue
            }
            let relative = uses * (errorOfOne / square.squareRoot() + 0x1p-99)
            if relative < 0.1 {
                error += 1.06 * relative * spectrum.square(k).squareRoot()
            } else {
                error += before[k] * worst
            }
        }
        // Both halves of the frequencies.
        spectrumError += 2 * error
    }

    consuming func tail() -> LossTail {
        let squares = spectrum.indices.reduce(0.0) { $0 + 2 * spectrum.square($1) }
        let size = Double(plan.count)
        let error =
            spectrumError / size + transform.relativeError * (squares / size).squareRoot()
        let masses = transform.inverse(spectrum)
        return totals.tail(plan, masses: masses, error: error, rotatedBy: rotation)
    }
}
