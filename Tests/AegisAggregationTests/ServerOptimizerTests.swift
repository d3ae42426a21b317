import AegisAggregation
import Testing

@Suite("Server optimisers (Reddi et al. 2021, Algorithms 1 and 2)")
struct ServerOptimizerTests {
    private let base: [Float] = [1, -2, 0, 0.5]
    private let deltas: [[Float]] = [
        [0.5, 0.25, -0.125, 0], [-1, 0.5, 0.001, 1e-20], [0.3, -0.7, 0.1, -0.2],
    ]

    private func run(_ optimizer: ServerOptimizer) throws -> [Float] {
        var model = base + optimizer.initialState(count: 4)
        var all: [Float] = []
        for delta in deltas {
            try optimizer.apply(delta, to: &model)
            all += model[..<4]
        }
        return all
    }

    // The bits come from NumPy: float64 arithmetic in the order of the documentation, every kept
    // number rounded to float32.
    @Test(
        "three rounds are NumPy's, bit for bit",
        arguments: [
            (
                ServerOptimizer.average(rate: 0.5),
                [
                    0x3fa0_0000, 0xbff0_0000, 0xbd80_0000, 0x3f00_0000, 0x3f40_0000, 0xbfd0_0000,
                    0xbd7d_f3b6, 0x3f00_0000, 0x3f66_6666, 0xbffc_cccd, 0xbc44_9ba4, 0x3ecc_cccd,
                ] as [UInt32]
            ),
            (
                .momentum(rate: 0.7, beta: 0.9),
                [
                    0x3fac_cccd, 0xbfe9_999a, 0xbdb3_3333, 0x3f00_0000, 0x3f77_0a3e, 0xbfa8_a3d7,
                    0xbe29_85f0, 0x3f00_0000, 0x3f54_1894, 0xbfac_e560, 0xbe29_c62a, 0x3eb8_51eb,
                ]
            ),
            (
                .adam(rate: 0.1, beta1: 0.9, beta2: 0.99, tau: 1e-3),
                [
                    0x3f8c_8bed, 0xbff3_b3a1, 0xbdbd_136d, 0x3f00_0000, 0x3f86_4cb8, 0xbfe3_611b,
                    0xbe33_41af, 0x3f00_0000, 0x3f84_266b, 0xbfe4_0d53, 0xbe33_77d8, 0x3ecf_4b59,
                ]
            ),
            (
                .yogi(rate: 0.1, beta1: 0.9, beta2: 0.99, tau: 1e-3),
                [
                    0x3f8c_8beb, 0xbff3_b3a7, 0xbdbd_1200, 0x3f00_0000, 0x3f86_4e4d, 0xbfe3_6540,
                    0xbe32_dcee, 0x3f00_0000, 0x3f84_2b0f, 0xbfe4_1112, 0xbe33_12c7, 0x3ecf_4bc9,
                ]
            ),
        ])
    func bits(optimizer: ServerOptimizer, expected: [UInt32]) throws {
        #expect(try run(optimizer).map(\.bitPattern) == expected)
    }

    @Test("a rate of 1 is the sum of base and aggregate")
    func average() throws {
        #expect(try run(.average(rate: 1)).prefix(4) == [1.5, -1.75, -0.125, 0.5])
    }

    @Test("a model that is not finite is refused, with its place")
    func notFinite() {
        #expect(throws: AggregationError.notFinite(index: 1)) {
            var model: [Float] = [0, 1, 0, 0]
            try ServerOptimizer.momentum(rate: 1e300, beta: 0.9).apply([0, 1e38], to: &model)
        }
    }
}
