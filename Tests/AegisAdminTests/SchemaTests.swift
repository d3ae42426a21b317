import AegisAPI
import AegisAdmin
import AegisProtocol
import Foundation
import Testing

/// Draws values that a schema takes, and spoils them. SplitMix64: the same every time.
private struct Drawing: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        return bits ^ (bits >> 31)
    }

    private mutating func oneIn(_ count: Int) -> Bool {
        Int.random(in: 0..<count, using: &self) == 0
    }

    private mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: elements.indices, using: &self)]
    }

    mutating func value(of schema: Schema) -> JSONValue {
        switch schema {
        case .text(let pattern, let length, _):
            let letters = Array(pattern == nil ? "aZ é✓\"" : "abz09")
            let count = min(length?.upperBound ?? 12, 12)
            return .text(String((0..<count).map { _ in pick(letters) }))
        // The only one in a run is the rule.
        case .word:
            let steps = AggregationDeclaration.PreStep.allCases.map(\.rawValue)
                .shuffled(using: &self)
            let rule = pick(AggregationDeclaration.Rule.allCases).rawValue
            let count = Int.random(in: 0...2, using: &self)
            return .text((steps.prefix(count) + [rule]).joined(separator: "+"))
        case .document: return "a\nb"
        case .choice(let words): return .text(pick(words))
        case .integer(let range):
            let inside = Int.random(in: range, using: &self)
            return .integer(Int64(pick([range.lowerBound, range.upperBound, inside])))
        case .number(let range):
            let inside = Double.random(in: range, using: &self)
            return .number(pick([range.lowerBound, range.upperBound, inside]))
        case .boolean: return .bool(oneIn(2))
        case .time: return "2026-03-01T09:30:00Z"
        case .digest: return .text("sha256:" + String(repeating: "a", count: 64))
        case .list(let element, let least, let most):
            let count = Int.random(in: least...min(most ?? least + 3, least + 3), using: &self)
            return .array((0..<count).map { _ in value(of: element) })
        case .object(let fields): return object(fields)
        case .named(let name): return value(of: Components.schemas[name] ?? .any)
        case .either(let schemas): return value(of: pick(schemas))
        case .any: return .integer(1)
        }
    }

    private mutating func object(_ fields: [Schema.Field]) -> JSONValue {
        var object: [String: JSONValue] = [:]
        for field in fields where field.isRequired || oneIn(4) {
            object[field.name] = value(of: field.schema)
        }
        return .object(object)
    }

    /// Changed in one place, somewhere in it.
    mutating func spoilt(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(var object):
            if object.isEmpty || oneIn(4) {
                object["colour"] = "red"
                return .object(object)
            }
            let key = pick(object.keys.sorted())
            object[key] = oneIn(4) ? nil : spoilt(object[key] ?? .null)
            return .object(object)
        case .array(var list):
            guard !list.isEmpty else { return .array([.null]) }
            let index = Int.random(in: list.indices, using: &self)
            list[index] = spoilt(list[index])
            return .array(list)
        case .null, .bool, .integer, .number, .text:
            return pick([
                .null, .array([]), .object([:]), .integer(-1), .number(1e300), "\u{7}", .bool(true),
            ])
        }
    }
}

@Suite("What the document says of a run is what the admin takes") struct SchemaTests {
    private func problem(_ body: JSONValue) throws -> Problem? {
        let run = try unwrap(RunID([UInt8](repeating: 7, count: 16)))
        do throws(Problem) {
            _ = try RunRequestReader(participants: 5, faultTolerance: 1)
                .read(body, run: run)
            return nil
        } catch let problem { return problem }
    }

    /// Calibrations have tests of their own, and take their time.
    private static func uncalibrated(_ body: JSONValue) -> JSONValue {
        guard case .object(var object) = body, case .object(var privacy)? = object["privacy"],
            privacy["epsilon"] != nil
        else { return body }
        privacy["epsilon"] = nil
        privacy["noise_multiplier"] = .number(1)
        object["privacy"] = .object(privacy)
        return .object(object)
    }

    @Test("what fits the document is taken, or its contradictions are named")
    func fits() throws {
        var drawing = Drawing(seed: 7)
        var taken = 0
        for _ in 0..<1_500 {
            let body = Self.uncalibrated(drawing.value(of: RunSchema.request))
            #expect(RunSchema.request.faults(body).isEmpty, "\(body)")
            guard let problem = try problem(body) else {
                taken += 1
                continue
            }
            #expect(problem.status == 409, "\(body): \(problem)")
            #expect(problem.faults?.isEmpty == false)
        }
        #expect(taken > 100)
    }

    @Test("what doesn't fit the document is refused, with the field at fault")
    func refused() throws {
        var drawing = Drawing(seed: 7)
        var refused = 0
        for _ in 0..<1_500 {
            let body = drawing.spoilt(Self.uncalibrated(drawing.value(of: RunSchema.request)))
            guard !RunSchema.request.faults(body).isEmpty else { continue }
            refused += 1
            let problem = try #require(try problem(body), "\(body)")
            #expect(problem.status == 422, "\(body): \(problem)")
            #expect(problem.faults?.isEmpty == false)
        }
        #expect(refused > 500)
    }
}
