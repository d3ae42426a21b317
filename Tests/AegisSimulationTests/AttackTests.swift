import AegisSimulation
import Testing

@Suite("Attacks on a round's aggregation")
struct AttackTests {
    /// Five honest updates of three coordinates, whose mean and deviation are easy to see.
    private let honest: [[Float]] = [
        [1, 10, -2], [2, 10, -1], [3, 10, 0], [4, 10, 1], [5, 10, 2],
    ]
    /// Of each coordinate's five values, with four in the divisor.
    private let deviation: Float = 1.5811388

    private func sent(
        _ attack: Attack, count: Int = 2, own: [[Float]] = [],
        rule: ([[Float]]) -> [Float]? = { _ in nil }
    ) -> [Adversary.Update] {
        var adversary = Adversary(attack, count: count, seed: 7)
        return adversary.updates(honest: honest, own: own, rule: rule)
    }

    private func squaredDistance(_ left: [Float], _ right: [Float]) -> Double {
        zip(left, right).reduce(0.0) { sum, pair in
            let difference = Double(pair.0) - Double(pair.1)
            return sum + difference * difference
        }
    }

    @Test("attacks along the mean are multiples of it")
    func multiples() {
        #expect(sent(.signFlip).map(\.values) == [[-3, -10, 0], [-3, -10, 0]])
        #expect(sent(.scaled(factor: -10)).map(\.values) == [[-30, -100, 0], [-30, -100, 0]])
        #expect(sent(.innerProduct(epsilon: 2), count: 1).map(\.values) == [[-6, -20, 0]])
        #expect(sent(.zero, count: 1).map(\.values) == [[0, 0, 0]])
    }

    /// Nine honest updates, and what ByzFL 0.0.11 (numpy) sends for them.
    private static let foreign: [[Float]] = [
        [0, 0.3125, -0.25, -0.875, -0.4375], [-1, 0.0625, 1.3125, -0.5, -0.625],
        [0.5, 0.375, 0.125, -0.9375, 0], [0.6875, -1.375, -0.4375, -1.875, -1.3125],
        [-1.8125, -0.25, -1.25, 0.25, 0.1875], [-0.1875, -2.5, -0.5625, -0.0625, 0.125],
        [-1.5, -0.5, -1, -0.8125, 1.0625], [-0.8125, -0.0625, 0.875, -0.5625, -0.125],
        [0.125, 0.0625, -1.25, 0.0625, 1.375],
    ]

    @Test(
        "attacks send what another library sends",
        arguments: [
            (
                Attack.signFlip,
                [
                    0.4444444444444444, 0.4305555555555556, 0.2708333333333333,
                    0.5902777777777778, -0.027777777777777776,
                ] as [Float]
            ),
            (
                .innerProduct(epsilon: 2),
                [
                    0.8888888888888888, 0.8611111111111112, 0.5416666666666666,
                    1.1805555555555556, -0.05555555555555555,
                ]
            ),
            (
                .littleIsEnough(deviations: 1.5),
                [
                    -1.7639939651142826, -1.837152734921418, -1.6269717215979675,
                    -1.556756971164785, -1.202734374234546,
                ]
            ),
        ])
    func foreign(attack: Attack, expected: [Float]) {
        var adversary = Adversary(attack, count: 1, seed: 1)
        let values = adversary.updates(honest: Self.foreign)[0].values
        for (value, expected) in zip(values, expected) {
            #expect((value - expected).magnitude < 1e-6)
        }
    }

    @Test("a little is enough: so many deviations from the mean")
    func littleIsEnough() throws {
        let values = try #require(sent(.littleIsEnough(deviations: 1.5)).first).values
        for (value, expected) in zip(values, [3 - 1.5 * deviation, 10, -1.5 * deviation]) {
            #expect((value - expected).magnitude < 1e-6)
        }
    }

    @Test(
        "its deviations follow from n and f (Baruch et al. 2019, §3)",
        // Φ⁻¹ of (n − f − s) / (n − f) by scipy.stats.norm.ppf.
        arguments: [
            (41, 9, 0.215_640_104_012_581_7), (9, 2, 0.139_710_298_881_862_12),
            (12, 3, 0.210_428_394_247_924_84), (20, 10, 0.524_400_512_708_040_7), (100, 1, 0),
            // The formula's z is negative where the hostile nodes are too few.
            (3, 1, 0),
        ])
    func deviations(honest: Int, hostile: Int, expected: Double) {
        let z = Adversary.littleIsEnough(honest: honest, hostile: hostile)
        #expect((z - expected).magnitude < 1e-12)
    }

    @Test("min-max is as far as the honest updates' spread allows, and no further")
    func minMax() throws {
        let values = try #require(sent(.minMax).first).values
        let largest = squaredDistance(honest[0], honest[4])
        let furthest = honest.map { squaredDistance($0, values) }.max() ?? 0
        #expect((furthest - largest).magnitude < 1e-4 * largest)
        #expect(values[0] < 3 && values[1] == 10)
    }

    @Test("min-sum is as far in sum as the furthest honest update, and no further")
    func minSum() throws {
        let values = try #require(sent(.minSum).first).values
        func sum(_ point: [Float]) -> Double {
            honest.reduce(0) { $0 + squaredDistance($1, point) }
        }
        let largest = honest.map(sum).max() ?? 0
        #expect((sum(values) - largest).magnitude < 1e-4 * largest)
        #expect(values[0] < 3)
    }

    @Test("optimised against a rule it does more harm than by the formula")
    func optimised() throws {
        // The median of each coordinate.
        func median(_ updates: [[Float]]) -> [Float] {
            (0..<3).map { index in
                let column = updates.map { $0[index] }.sorted()
                return (column[(column.count - 1) / 2] + column[column.count / 2]) / 2
            }
        }
        func harm(_ attack: Attack) -> Double {
            let hostile = sent(attack, rule: median).map(\.values)
            return squaredDistance(median(honest + hostile), [3, 10, 0])
        }
        let formula = harm(.littleIsEnough(deviations: nil))
        #expect(harm(.littleIsEnoughOptimised) > formula)
        // Two of seven can pull the median by one place at most: from 3 to 2 here.
        #expect(harm(.littleIsEnoughOptimised) <= 2 + 1e-6)
        // A rule without a result leaves the formula.
        #expect(
            sent(.littleIsEnoughOptimised) == sent(.littleIsEnough(deviations: nil)))
    }

    @Test("a mimic copies one honest node and stays with it")
    func mimic() throws {
        var adversary = Adversary(.mimic, count: 2, seed: 1)
        let first = adversary.updates(honest: honest)
        let copied = try #require(honest.firstIndex(of: first[0].values))
        #expect(copied == 0 || copied == 4, "the ends vary most")
        #expect(first[0] == first[1])
        let later = adversary.updates(honest: honest.map { $0.map { -2 * $0 } }.reversed())
        #expect(later[0].values == honest.reversed()[copied].map { -2 * $0 })
    }

    @Test("Gaussian values have the deviation asked for, and differ between nodes and seeds")
    func gaussian() {
        let wide = [[Float](repeating: 0, count: 20_000)]
        var adversary = Adversary(.gaussian(deviation: 20), count: 2, seed: 3)
        let sent = adversary.updates(honest: wide).map(\.values)
        for values in sent {
            let mean = values.reduce(0.0) { $0 + Double($1) } / 20_000
            let square = values.reduce(0.0) { $0 + Double($1) * Double($1) } / 20_000
            let fourth = values.reduce(0.0) { $0 + Double($1 * $1) * Double($1 * $1) } / 20_000
            #expect(mean.magnitude < 0.6)
            #expect((square / 400 - 1).magnitude < 0.05)
            #expect((fourth / (3 * 160_000) - 1).magnitude < 0.15)
        }
        #expect(sent[0] != sent[1])
        var other = Adversary(.gaussian(deviation: 20), count: 2, seed: 4)
        #expect(other.updates(honest: wide).map(\.values) != sent)
    }

    @Test("poisoned training goes in as it is, scaled for a backdoor; weights are claimed")
    func trained() {
        let own: [[Float]] = [[1, 2, 3], [4, 5, 6]]
        #expect(sent(.labelFlip, own: own).map(\.values) == own)
        #expect(sent(.backdoor(factor: 3), own: own).map(\.values) == [[3, 6, 9], [12, 15, 18]])
        #expect(sent(.none, own: own).map(\.values) == own)
        let inflated = sent(.weightInflation(weight: 1_000))
        #expect(inflated.map(\.weight) == [1_000, 1_000])
        #expect(inflated[0].values == [-3, -10, 0])
    }

    @Test("identical honest updates give attacks without a direction nowhere to go")
    func identical() {
        let same = [[Float]](repeating: [1, 2], count: 4)
        for attack in [Attack.minMax, .minSum, .littleIsEnough(deviations: nil), .mimic] {
            var adversary = Adversary(attack, count: 1, seed: 1)
            #expect(adversary.updates(honest: same).map(\.values) == [[1, 2]], "\(attack)")
        }
        var alone = Adversary(.minMax, count: 1, seed: 1)
        #expect(alone.updates(honest: [[5]]).map(\.values) == [[5]])
    }

    @Test("every attack of the catalogue is found by its name")
    func names() {
        for attack in Attack.catalogue { #expect(Attack(name: attack.name) == attack) }
        #expect(Set(Attack.catalogue.map(\.name)).count == Attack.catalogue.count)
        #expect(Attack(name: "unknown") == nil)
    }
}

@Suite("Poisoned records")
struct DataPoisoningTests {
    @Test("labels are turned round")
    func labels() {
        var pixels: [UInt8] = [1, 2, 3]
        var labels: [UInt8] = [0, 4, 9]
        DataPoisoning.labelFlip.apply(to: &pixels, labels: &labels, classes: 10)
        #expect(labels == [9, 5, 0])
        #expect(pixels == [1, 2, 3])
    }

    @Test("every second record gets the trigger in its lower right corner, and its label")
    func trigger() {
        let trigger = BackdoorTrigger(target: 7, side: 2, columns: 3)
        var pixels = [UInt8](repeating: 1, count: 18)
        var labels: [UInt8] = [3, 3]
        DataPoisoning.backdoor(trigger).apply(to: &pixels, labels: &labels, classes: 10)
        #expect(pixels[..<9] == [1, 1, 1, 1, 255, 255, 1, 255, 255])
        #expect(pixels[9...] == [1, 1, 1, 1, 1, 1, 1, 1, 1])
        #expect(labels == [7, 3])
        var small: [UInt8] = [0, 0]
        BackdoorTrigger(target: 0, side: 4, columns: 2).stamp(&small[...])
        #expect(small == [255, 255])
    }
}
