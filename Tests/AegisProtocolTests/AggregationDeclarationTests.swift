import AegisCore
import AegisProtocol
import Testing

@Suite("How a run declares its aggregation")
struct AggregationDeclarationTests {
    private typealias Declaration = AggregationDeclaration

    /// A run whose `aggregation` is put in place of the standard one, through its signed bytes.
    private func read(_ aggregation: CBOR) throws -> AggregationDeclaration {
        let run = try #require(RunID([UInt8](repeating: 1, count: 16)))
        guard case .map(let map) = Stage.specification(run).cbor else { throw Unexpected() }
        let fields = map.entries.map { ($0.key, $0.key == 8 ? aggregation : $0.value) }
        return try RunSpecification(.map(CBORMap(fields))).aggregation
    }

    private func written(_ aggregation: AggregationDeclaration) throws -> CBOR {
        let run = try #require(RunID([UInt8](repeating: 1, count: 16)))
        var specification = Stage.specification(run)
        specification.aggregation = aggregation
        guard case .map(let map) = specification.cbor, let value = map[8] else {
            throw Unexpected()
        }
        return value
    }

    private struct Unexpected: Error {}

    private func fields(
        _ name: String, byzantine: Int64 = 1, weightMax: UInt64 = 1,
        parameters: [(Int64, CBOR)] = []
    ) -> CBOR {
        .fields([
            1: .text(name), 2: .integer(byzantine), 3: .integer(1_000_000),
            4: .unsigned(weightMax), 5: .map(CBORMap(parameters)),
        ])
    }

    private func error(_ value: CBOR) -> StatementError? {
        do {
            _ = try read(value)
            return nil
        } catch {
            return error as? StatementError
        }
    }

    @Test("every rule and pre-step is read as it was written")
    func roundTrip() throws {
        let values: [Declaration.Parameter: Int] = [
            .kept: 2, .steps: 5, .radius: 1_500_000, .smoothing: 100, .bucketSize: 2,
            .clipRadius: 3_000_000,
        ]
        for rule in Declaration.Rule.allCases {
            for steps in [[], [.mixing], [.bucketing, .mixing], [.clipping, .adaptiveClipping]]
                as [[Declaration.PreStep]]
            {
                var aggregation = Declaration(
                    preSteps: steps, rule: rule, byzantine: rule.isRobust ? 2 : 0,
                    weightMax: rule.isWeighted ? 50 : 1, updateNormMaxMillionths: 7_000_000)
                for parameter in aggregation.allowed {
                    aggregation.parameters[parameter] = values[parameter]
                }
                #expect(try read(try written(aggregation)) == aggregation)
                let parsed = try #require(Declaration.parse(aggregation.name))
                #expect(parsed.rule == rule && parsed.preSteps == steps)
            }
        }
    }

    @Test(
        "names of no rule, or with a pre-step twice or at the end, are refused",
        arguments: [
            "", "+", "nnm", "nnm+", "+krum", "nnm+nnm+krum", "krum+nnm", "Krum", "fltrust",
            "monna", "nnm+bucketing+arc+clip+mean", "median ",
        ])
    func names(name: String) {
        #expect(Declaration.parse(name) == nil)
        #expect(error(fields(name)) == .outOfRange(field: 1))
    }

    @Test("a parameter that is missing, out of range or of no use is refused")
    func parameters() {
        let clipping = "centered-clipping"
        #expect(
            error(fields(clipping, parameters: [(2, .unsigned(1)), (3, .unsigned(5))])) == nil)
        #expect(error(fields(clipping, parameters: [(2, .unsigned(1))])) == .missing(field: 3))
        #expect(
            error(fields(clipping, parameters: [(2, .unsigned(0)), (3, .unsigned(5))]))
                == .outOfRange(field: 2))
        #expect(
            error(fields(clipping, parameters: [(2, .unsigned(.max)), (3, .unsigned(5))]))
                == .outOfRange(field: 2))
        #expect(error(fields("median", parameters: [(2, .unsigned(1))])) == .unknown(field: 2))
        #expect(error(fields("multi-krum")) == nil)
        #expect(error(fields("multi-krum", parameters: [(1, .unsigned(3))])) == nil)
        #expect(error(fields("multi-krum", parameters: [(1, .text("3"))])) != nil)
        #expect(error(fields("bucketing+median")) == .missing(field: 5))
    }

    @Test("weights are for weighted rules, and the mean bears no hostile update")
    func weights() {
        #expect(error(fields("weighted-median", weightMax: 9)) == nil)
        #expect(error(fields("weighted-median", weightMax: 0)) == .outOfRange(field: 4))
        #expect(error(fields("weighted-median", weightMax: 1_000_001)) == .outOfRange(field: 4))
        #expect(error(fields("median", weightMax: 2)) == .outOfRange(field: 4))
        #expect(error(fields("mean", byzantine: 1)) == .outOfRange(field: 2))
        #expect(error(fields("mean", byzantine: 0)) == nil)
        #expect(error(fields("median", byzantine: 33)) == .outOfRange(field: 2))
    }

    @Test(
        "the fewest updates are the authors' conditions, with pre-steps in account",
        arguments: [
            ("mean", 0, 1), ("median", 2, 5), ("trimmed-mean", 3, 7), ("krum", 1, 5),
            ("multi-krum", 2, 7), ("bulyan", 1, 7), ("bulyan", 2, 11), ("nnm+mean", 0, 1),
            ("nnm+trimmed-mean", 2, 5), ("bucketing+median", 1, 5), ("bucketing+krum", 1, 9),
            ("nnm+bucketing+median", 0, 1), ("clip+geometric-median", 4, 9),
        ])
    func updatesMin(name: String, byzantine: Int, expected: Int) throws {
        let (steps, rule) = try #require(Declaration.parse(name))
        let aggregation = Declaration(
            preSteps: steps, rule: rule, byzantine: byzantine, parameters: [.bucketSize: 2],
            updateNormMaxMillionths: 1)
        #expect(aggregation.updatesMin == expected)
    }

    @Test("an update that claims more weight than the run allows is not as declared")
    func claimedWeight() throws {
        let run = try #require(RunID([UInt8](repeating: 1, count: 16)))
        var specification = Stage.specification(run)
        specification.aggregation = Declaration(
            rule: .weightedMean, byzantine: 0, weightMax: 10, updateNormMaxMillionths: 1)
        for (weight, isTaken) in [(1, true), (10, true), (0, false), (11, false)]
            as [(UInt64, Bool)]
        {
            let blob = try #require(UpdateBlob(digest: .zero, byteCount: 8))
            let mesh = try #require(MeshID([UInt8](repeating: 2, count: 16)))
            let node = try #require(NodeID([UInt8](repeating: 3, count: 32)))
            let statement = UpdateStatement(
                mesh: mesh, node: node, specification: specification, round: 1, base: .zero,
                draft: UpdateDraft(
                    run: run, round: 1, base: .zero, blob: blob, weight: weight, expiresAt: 1))
            #expect(statement.follows(specification) == isTaken, "\(weight)")
        }
    }
}
