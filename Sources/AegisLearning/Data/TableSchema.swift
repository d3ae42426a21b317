/// What a column of a table is, and how it becomes numbers. Bounds are declared, public constants:
/// a minimum or a mean of the records themselves would be a statistic of private data, released
/// with every model and charged to nobody.
package struct TableColumn: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// Clamped to the bounds, then mapped to [−1, 1].
        case number(min: Double, max: Double)
        /// One feature for each value, 1 for the record's and 0 for the others.
        case category(values: [String], other: Bool)
        /// Words as numbers below the vocabulary's size; the only feature of its table.
        case text(vocabulary: Int)
        /// Read, and not used.
        case ignored
    }

    /// What a missing value becomes.
    package enum Missing: Hashable, Sendable {
        /// A fault.
        case refused
        /// For a number: this public constant.
        case filled(Double)
        /// A feature more, 1 where the value is missing; the value's own features are 0.
        case marked
    }

    package let name: String
    package let kind: Kind
    package let missing: Missing

    package init(name: String, kind: Kind, missing: Missing = .refused) {
        self.name = name
        self.kind = kind
        self.missing = missing
    }

    /// How many features the column gives: known from the declaration alone.
    package var width: Int {
        let mark = missing == .marked ? 1 : 0
        return switch kind {
        case .number: 1 + mark
        case .category(let values, let other): values.count + (other ? 1 : 0) + mark
        case .text, .ignored: 0
        }
    }
}

/// What a model learns to say about a record.
package struct TableTarget: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// The classes, in this order: two or more.
        case classes([String])
        /// Mapped from the bounds to [−1, 1], and back for what people are shown.
        case number(min: Double, max: Double)
    }

    package let column: String
    package let kind: Kind

    package init(column: String, kind: Kind) {
        self.column = column
        self.kind = kind
    }

    /// Classes, or 1 for a number.
    package var outputs: Int {
        switch kind {
        case .classes(let values): values.count
        case .number: 1
        }
    }
}

/// The columns of a table in the order a model sees them, and its target.
package struct TableSchema: Hashable, Sendable {
    package let columns: [TableColumn]
    package let target: TableTarget

    package init(columns: [TableColumn], target: TableTarget) {
        self.columns = columns
        self.target = target
    }

    /// Features of a record; 0 for text.
    package var width: Int { columns.reduce(0) { $0 + $1.width } }

    /// The size of the vocabulary where the records are text.
    package var vocabulary: Int? {
        for column in columns {
            if case .text(let vocabulary) = column.kind { return vocabulary }
        }
        return nil
    }

    /// What each feature is called: `age`, `sex=F`, `weight missing`.
    package var featureNames: [String] {
        columns.flatMap { column -> [String] in
            var names: [String]
            switch column.kind {
            case .number: names = [column.name]
            case .category(let values, let other):
                names = values.map { "\(column.name)=\($0)" } + (other ? ["\(column.name)=*"] : [])
            case .text: return [column.name]
            case .ignored: return []
            }
            if column.missing == .marked { names.append("\(column.name) missing") }
            return names
        }
    }
}

/// How records are dealt out to training and test.
package enum TableSplit: Hashable, Sendable {
    /// Everything is for training.
    case none
    /// Each record by the public hash of its number: the same whatever the machine.
    case share(test: Double, seed: UInt64)
    /// By a column's value.
    case column(String, test: String)
}
