package import AegisPrivacy

/// One data set of this node's owner: where its records are and how much of their privacy a life
/// of training may cost.
package struct DatasetDeclaration: Codable, Hashable, Sendable {
    /// What run specifications call it.
    package var name: String
    /// A folder with the four IDX files of MNIST's layout, plain or gzipped, or a declaration:
    /// FILE.yaml (docs/DATA.md).
    package var source: String
    /// The part of a shared file this node plays the owner of; all of it where absent.
    package var slice: SliceDeclaration?
    package var budget: BudgetDeclaration
    /// Which generator makes the noise; fast where absent.
    package var noise: NoiseGenerator?

    package init(
        name: String, source: String, slice: SliceDeclaration?, budget: BudgetDeclaration,
        noise: NoiseGenerator? = nil
    ) {
        self.name = name
        self.source = source
        self.slice = slice
        self.budget = budget
        self.noise = noise
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case name, source, slice, budget, noise
    }

    package init(from decoder: any Decoder) throws {
        try UnknownKeys.refuse(in: decoder, known: CodingKeys.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decode(String.self, forKey: .name)
        source = try container.decode(String.self, forKey: .source)
        slice = try container.decodeIfPresent(SliceDeclaration.self, forKey: .slice)
        budget = try container.decode(BudgetDeclaration.self, forKey: .budget)
        noise = try container.decodeIfPresent(NoiseGenerator.self, forKey: .noise)
    }

    package var faults: [String] {
        var faults: [String] = []
        if name.isEmpty || name.utf8.count > 64 {
            faults.append("datasets: a name has 1 to 64 bytes")
        }
        if let slice {
            if !(1...10_000).contains(slice.count)
                || !(0..<max(slice.count, 1)).contains(slice.index)
            {
                faults.append("datasets.\(name).slice: needs 0 <= index < count <= 10000")
            }
            if let alpha = slice.dirichletAlpha, !(alpha > 0 && alpha <= 1_000) {
                faults.append("datasets.\(name).slice.dirichletAlpha: needs 0 < alpha <= 1000")
            }
        }
        return faults + budget.faults.map { "datasets.\(name).budget.\($0)" }
    }
}

/// A node's share of a data set that several nodes of a demonstration read from one file.
package struct SliceDeclaration: Codable, Hashable, Sendable {
    package var index: Int
    package var count: Int
    package var seed: UInt64
    /// Label skew: Dirichlet(α) shares of each class; identically distributed where absent.
    package var dirichletAlpha: Double?

    package init(index: Int, count: Int, seed: UInt64, dirichletAlpha: Double?) {
        self.index = index
        self.count = count
        self.seed = seed
        self.dirichletAlpha = dirichletAlpha
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case index, count, seed, dirichletAlpha
    }

    package init(from decoder: any Decoder) throws {
        try UnknownKeys.refuse(in: decoder, known: CodingKeys.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: CodingKeys.self)
        index = try container.decode(Int.self, forKey: .index)
        count = try container.decode(Int.self, forKey: .count)
        seed = try container.decode(UInt64.self, forKey: .seed)
        dirichletAlpha = try container.decodeIfPresent(Double.self, forKey: .dirichletAlpha)
    }
}
