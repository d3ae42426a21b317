/// A named kind of trouble: for each option a value, or a range that the seed draws from. The files
/// are in `simulations/scenarios`.
package struct Scenario: Hashable, Sendable, Decodable {
    /// How an option is drawn: a number; `[from, to]`; or `[chance, from, to]`, with the chance in
    /// 1,000 that it is not left at its default. One more than the number of faulty nodes that the
    /// mesh bears is cut down to that, unless `isBeyond`.
    package enum Draw: Hashable, Sendable, Decodable {
        case constant(Int)
        case range(chance: Int, ClosedRange<Int>)

        package init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Int.self) {
                self = .constant(number)
                return
            }
            let numbers = try container.decode([Int].self)
            guard (2...3).contains(numbers.count), numbers[numbers.count - 2] <= numbers.last ?? 0
            else {
                throw DecodingError.dataCorruptedError(
                    in: container, debugDescription: "[from, to] or [chance, from, to]")
            }
            self = .range(
                chance: numbers.count == 3 ? numbers[0] : 1_000,
                numbers[numbers.count - 2]...numbers[numbers.count - 1])
        }
    }

    package let name: String
    package let summary: String
    /// Whether there may be more traitors than the mesh bears: then a violation is expected.
    package let isBeyond: Bool
    /// How often it comes where scenarios share a number of simulations.
    package let weight: Int
    package let options: [String: Draw]

    private enum CodingKeys: String, CodingKey { case name, summary, beyond, weight, options }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decode(String.self, forKey: .name)
        summary = try container.decode(String.self, forKey: .summary)
        isBeyond = try container.decodeIfPresent(Bool.self, forKey: .beyond) ?? false
        weight = try container.decodeIfPresent(Int.self, forKey: .weight) ?? 1
        guard (1...1_000).contains(weight) else {
            throw DecodingError.dataCorruptedError(
                forKey: .weight, in: container, debugDescription: "a weight from 1 to 1000")
        }
        options = try container.decode([String: Draw].self, forKey: .options)
        let known = Set(SimulationOptions.fields.map(\.name))
        if let unknown = options.keys.sorted().first(where: { !known.contains($0) }) {
            throw DecodingError.dataCorruptedError(
                forKey: .options, in: container, debugDescription: "no option \(unknown)")
        }
    }

    package init(name: String, options: [String: Draw]) {
        self.name = name
        summary = name
        isBeyond = false
        weight = 1
        self.options = options
    }

    /// What this seed draws.
    package func options(seed: UInt64) -> SimulationOptions {
        var random = SimulationRandom(seed, stream: .options)
        var drawn = SimulationOptions()
        // In the order of the table, never of a dictionary.
        for field in SimulationOptions.fields {
            switch options[field.name] {
            case .constant(let number): drawn[keyPath: field.path] = number
            case .range(let chance, let range):
                let isDrawn = random.chance(chance)
                let number = random.number(in: range)
                if isDrawn { drawn[keyPath: field.path] = number }
            case nil: break
            }
        }
        drawn.updatesMin = min(drawn.updatesMin, drawn.updatesMost)
        if drawn.participants != 3 { drawn.strictThree = 0 }
        guard !isBeyond else { return drawn }
        drawn.twins = min(drawn.twins, drawn.tolerance)
        drawn.traitors = min(drawn.traitors, drawn.tolerance - drawn.twins)
        drawn.deadForever = min(
            drawn.deadForever, drawn.tolerance - drawn.twins - drawn.traitors)
        var left = drawn.tolerance - drawn.twins - drawn.traitors - drawn.deadForever
        for faulty in [
            \SimulationOptions.rollbacks, \.commitLosses, \.clones, \.lyingDisks, \.rottenDisks,
        ] {
            drawn[keyPath: faulty] = min(drawn[keyPath: faulty], left)
            left -= drawn[keyPath: faulty]
        }
        return drawn
    }
}
