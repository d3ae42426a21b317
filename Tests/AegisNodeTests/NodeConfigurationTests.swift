import AegisNode
import AegisPrivacy
import Testing

@Suite("node.yaml")
struct NodeConfigurationTests {
    private static let whole = NodeConfiguration(
        name: "north", listen: "127.0.0.1:9001", advertise: "north.example:9001",
        admin: "[::1]:8444",
        datasets: [
            DatasetDeclaration(
                name: "fashion-mnist", source: "/data",
                slice: SliceDeclaration(index: 1, count: 5, seed: 42, dirichletAlpha: 0.5),
                budget: BudgetDeclaration(epsilon: 3, delta: 1e-5)),
            DatasetDeclaration(
                name: "other", source: "/other", slice: nil,
                budget: BudgetDeclaration(
                    epsilon: 0.5, delta: 1e-6, perRun: 0.2,
                    perPeriod: PeriodBudgetDeclaration(epsilon: 0.3, days: 90),
                    noiseMultiplierMin: 0.6),
                noise: .exact),
        ], ledger: "/var/lib/ledger.sqlite")

    private static let minimal = """
        name: north
        listen: 127.0.0.1:9001
        advertise: 127.0.0.1:9001
        admin: 127.0.0.1:8444

        """

    private static func faults(_ yaml: String) -> [String] {
        failure(ConfigurationError.self) { _ = try NodeConfiguration(yaml: yaml) }?.faults ?? []
    }

    @Test("what is written is read back")
    func roundTrip() throws {
        #expect(try NodeConfiguration(yaml: Self.whole.yaml) == Self.whole)
        let minimal = try NodeConfiguration(yaml: Self.minimal)
        #expect(minimal.datasets.isEmpty)
        #expect(try NodeConfiguration(yaml: minimal.yaml) == minimal)
    }

    @Test("every fault is reported, not only the first")
    func allFaults() throws {
        var broken = Self.whole
        broken.listen = "nowhere"
        broken.admin = "127.0.0.1:99999"
        broken.datasets[0].budget.epsilon = 0
        broken.datasets[1].budget.delta = 0.5
        broken.datasets[1].slice = SliceDeclaration(
            index: 3, count: 3, seed: 1, dirichletAlpha: -1)
        let faults = Self.faults(try broken.yaml)
        #expect(faults.count == 6)
        for part in [
            "listen: nowhere", "admin: 127.0.0.1:99999", "fashion-mnist.budget.epsilon",
            "other.budget.delta", "other.slice: ", "other.slice.dirichletAlpha",
        ] {
            #expect(faults.contains { $0.contains(part) }, "\(part) in \(faults)")
        }
    }

    @Test("each of the owner's limits has a range")
    func limits() throws {
        var broken = Self.whole
        broken.datasets[1].budget.perRun = 0
        broken.datasets[1].budget.perPeriod?.epsilon = -1
        broken.datasets[1].budget.perPeriod?.days = 1e6
        broken.datasets[1].budget.noiseMultiplierMin = -0.1
        let faults = Self.faults(try broken.yaml)
        #expect(faults.count == 4)
        for part in ["perRun", "perPeriod.epsilon", "perPeriod.days", "noiseMultiplierMin"] {
            #expect(
                faults.contains { $0.hasPrefix("datasets.other.budget.\(part): ") }, "\(faults)")
        }
        #expect(Self.whole.datasets[1].budget.policy?.periodDays == 90)
        #expect(broken.datasets[1].budget.policy == nil)
    }

    @Test("two data sets of one name are refused")
    func sameName() throws {
        var broken = Self.whole
        broken.datasets[1].name = "fashion-mnist"
        #expect(Self.faults(try broken.yaml) == ["datasets: two have the same name"])
    }

    @Test(
        "a key nobody reads is refused and named",
        arguments: [
            ("listne: 127.0.0.1:1\n", "listne"),
            (
                "datasets: [{name: a, source: /a, budgte: 1, budget: {epsilon: 1, delta: 1e-5}}]\n",
                "budgte"
            ),
            (
                "datasets: [{name: a, source: /a, budget: {epsilon: 1, delta: 1e-5, detla: 1}}]\n",
                "detla"
            ),
            (
                """
                datasets:
                - {name: a, source: /a, slice: {index: 0, count: 2, seed: 1, dirichletalpha: 1.0},
                   budget: {epsilon: 1, delta: 1e-5}}

                """, "dirichletalpha"
            ),
        ])
    func unknownKey(line: String, key: String) {
        let faults = Self.faults(Self.minimal + line)
        #expect(faults.count == 1)
        #expect(faults.first?.contains("unknown key \(key)") == true, "\(faults)")
    }

    @Test("a missing key and a wrong type are named")
    func missing() {
        let withoutListen = Self.minimal.replacing("listen: 127.0.0.1:9001\n", with: "")
        #expect(Self.faults(withoutListen).first?.contains("listen is missing") == true)
        #expect(Self.faults("- a list\n").count == 1)
        #expect(Self.faults("name: [").count == 1)
        #expect(Self.faults("").count == 1)
    }

    @Test("a slice is I/N, iid or with a Dirichlet concentration")
    func sliceSyntax() throws {
        #expect(try SliceDeclaration(slice: nil, partition: "iid", seed: 1) == nil)
        #expect(
            try SliceDeclaration(slice: "2/5", partition: "iid", seed: 9)
                == SliceDeclaration(index: 2, count: 5, seed: 9, dirichletAlpha: nil))
        #expect(
            try SliceDeclaration(slice: "0/3", partition: "dirichlet:0.25", seed: 9)
                == SliceDeclaration(index: 0, count: 3, seed: 9, dirichletAlpha: 0.25))
    }

    @Test(
        "other spellings of a slice are refused",
        arguments: [
            ("2", "iid"), ("2/", "iid"), ("/2", "iid"), ("1/2/3", "iid"), ("a/b", "iid"),
            ("", "iid"), ("1/2", "zipf"), ("1/2", "dirichlet:"), ("1/2", "dirichlet:much"),
        ])
    func badSlice(slice: String, partition: String) {
        #expect(throws: NodeError.self) {
            try SliceDeclaration(slice: slice, partition: partition, seed: 1)
        }
    }

    @Test("a declaration tells each of its faults")
    func declarationFaults() {
        func faults(_ change: (inout DatasetDeclaration) -> Void) -> Int {
            var declaration = Self.whole.datasets[0]
            change(&declaration)
            return declaration.faults.count
        }
        #expect(faults { _ in } == 0)
        #expect(faults { $0.name = "" } == 1)
        #expect(faults { $0.name = String(repeating: "n", count: 65) } == 1)
        for (index, count) in [(-1, 5), (5, 5), (0, 0), (0, -3), (0, 10_001)] {
            #expect(
                faults {
                    $0.slice?.index = index
                    $0.slice?.count = count
                } == 1)
        }
        for alpha in [0, -1, 1_001, Double.nan, .infinity] {
            #expect(faults { $0.slice?.dirichletAlpha = alpha } == 1, "\(alpha)")
        }
        for epsilon in [0, -1, 1_001, Double.nan, .infinity] {
            #expect(faults { $0.budget.epsilon = epsilon } == 1, "\(epsilon)")
        }
        for delta in [0, -1, 0.1, Double.nan, .infinity] {
            #expect(faults { $0.budget.delta = delta } == 1, "\(delta)")
        }
    }
}
