extension DatasetDescription {
    private enum Format: String, CaseIterable { case csv, sqlite, idx, npy, npz }

    /// Reads a declaration; throws all that is wrong with it. docs/DATA.md has every field.
    package init(_ declaration: DeclarationValue) throws(DeclarationError) {
        var reader = DeclarationReader(declaration)
        let value = Self.read(&reader)
        reader.refuseUnknown()
        self = try reader.finish(value)
    }

    private static func read(_ reader: inout DeclarationReader) -> DatasetDescription? {
        let name = reader.required("name", reader.text("name"))
        if let name, name.isEmpty || name.utf8.count > 64 {
            reader.fault("name", "has 1 to 64 bytes")
        }
        let about = reader.text("about")
        let licence = reader.text("licence")
        let testIsPublic = reader.flag("public_test") ?? false
        let read = reader.map("source") { source in
            source.required("format", source.choice("format", Format.self))
                .flatMap { format in Self.source(format, &source).map { (format, $0) } }
        }
        guard let (format, source) = reader.required("source", read) else { return nil }
        let content: Content?
        switch format {
        case .csv, .sqlite: content = table(&reader).map(Content.table)
        case .idx, .npy, .npz: content = array(&reader, format).map(Content.array)
        }
        let split = split(&reader, isTable: format == .csv || format == .sqlite)
        guard let name, let content else { return nil }
        if case .table(let schema) = content, case .column(let column, _) = split,
            column == schema.target.column
        {
            reader.fault("split.column", "is the target")
        }
        return DatasetDescription(
            name: name, source: source, content: content, split: split, testIsPublic: testIsPublic,
            about: about, licence: licence)
    }

    private static func source(_ format: Format, _ source: inout DeclarationReader) -> Source? {
        switch format {
        case .csv:
            let path = source.required("path", source.text("path"))
            let missing = source.texts("missing") ?? ["", "NA"]
            let delimiter = source.text("delimiter") ?? ","
            let byte = delimiter == "tab" ? 0x09 : delimiter.utf8.first ?? 0
            if delimiter != "tab", delimiter.utf8.count != 1 || byte == 0x22 || byte == 0x0a {
                source.fault("delimiter", "is one character, or tab")
            }
            return path.map { .csv(path: $0, delimiter: byte, missing: missing) }
        case .sqlite:
            let path = source.required("path", source.text("path"))
            let (table, query) = (source.text("table"), source.text("query"))
            guard (table == nil) != (query == nil) else {
                source.fault("table", "give either a table or a query")
                return nil
            }
            let quoted = table.map {
                "SELECT * FROM \""
                    + $0.split(separator: "\"", omittingEmptySubsequences: false)
                    .joined(separator: "\"\"") + "\""
            }
            guard let path, let query = query ?? quoted else { return nil }
            return .sqlite(path: path, query: query)
        case .idx:
            return source.required("folder", source.text("folder")).map { .idx(folder: $0) }
        case .npy, .npz: return arrays(format, &source)
        }
    }

    private static func arrays(_ format: Format, _ source: inout DeclarationReader) -> Source? {
        let path =
            format == .npz ? source.required("path", source.text("path")) : ""
        let features = source.required("features", source.text("features"))
        let labels = source.required("labels", source.text("labels"))
        let (testFeatures, testLabels) = (source.text("test_features"), source.text("test_labels"))
        if (testFeatures == nil) != (testLabels == nil) {
            source.fault("test_labels", "test_features and test_labels go together")
        }
        guard let path, let features, let labels else { return nil }
        let test = testFeatures.flatMap { features in
            testLabels.map { ArrayPair(features: features, labels: $0) }
        }
        return format == .npy
            ? .npy(features: features, labels: labels, test: test)
            : .npz(path: path, features: features, labels: labels, test: test)
    }

    private static func split(_ reader: inout DeclarationReader, isTable: Bool) -> TableSplit {
        reader.map("split") { split -> TableSplit? in
            let test = split.value("test")
            if let column = split.text("column") {
                guard isTable else {
                    split.fault("column", "only a table has columns")
                    return nil
                }
                guard let value = test?.asText else {
                    split.fault("test", "is the column's value for a test record")
                    return nil
                }
                return .column(column, test: value)
            }
            let seed = split.integer("seed", in: 0...Int.max) ?? 1
            guard let share = split.required("test", split.number("test", in: 0...0.9)) else {
                return nil
            }
            return share == 0 ? TableSplit.none : .share(test: share, seed: UInt64(seed))
        } ?? .none
    }

    // MARK: - Tables

    private static func table(_ reader: inout DeclarationReader) -> TableSchema? {
        let columns = reader.required(
            "columns", reader.maps("columns", column))
        let target = reader.required(
            "target",
            reader.map("target") { target -> TableTarget? in
                let column = target.required("column", target.text("column"))
                guard let column, let kind = targetKind(&target) else { return nil }
                return TableTarget(column: column, kind: kind)
            })
        guard let columns, let target else { return nil }
        var names: Set<String> = []
        for column in columns where !names.insert(column.name).inserted {
            reader.fault("columns", "has \(column.name) twice")
        }
        if columns.contains(where: { $0.name == target.column && $0.kind != .ignored }) {
            reader.fault("target.column", "\(target.column) is also a feature")
        }
        let schema = TableSchema(columns: columns, target: target)
        if schema.vocabulary != nil {
            if columns.filter({ $0.kind != .ignored }).count > 1 {
                reader.fault("columns", "a text is the only feature of its table")
            }
        } else if !(1...Limits.widthMax).contains(schema.width) {
            reader.fault("columns", "give \(schema.width) features, not 1 to \(Limits.widthMax)")
        }
        return schema
    }

    private enum ColumnType: String, CaseIterable { case number, category, text, ignore }

    private static func column(_ reader: inout DeclarationReader) -> TableColumn? {
        let name = reader.required("name", reader.text("name"))
        let type = reader.required("type", reader.choice("type", ColumnType.self))
        guard let name, let type else { return nil }
        switch type {
        case .ignore: return TableColumn(name: name, kind: .ignored)
        case .text:
            let size = reader.required("vocabulary", reader.integer("vocabulary", in: 2...1 << 26))
            return size.map { TableColumn(name: name, kind: .text(vocabulary: $0)) }
        case .number:
            guard let (low, high) = bounds(&reader) else { return nil }
            let missing = missing(&reader, fills: true)
            return TableColumn(name: name, kind: .number(min: low, max: high), missing: missing)
        case .category:
            let values = reader.required("values", reader.texts("values"))
            let other = reader.flag("other") ?? false
            let missing = missing(&reader, fills: false)
            guard let values, distinct(values, "values", &reader, atLeast: 1) else { return nil }
            return TableColumn(
                name: name, kind: .category(values: values, other: other), missing: missing)
        }
    }

    private static func missing(
        _ reader: inout DeclarationReader, fills: Bool
    ) -> TableColumn.Missing {
        switch reader.value("missing") {
        case nil, .text("refuse"): return .refused
        case .text("mark"): return .marked
        case .number(let number) where fills && number.isFinite: return .filled(number)
        default:
            reader.fault("missing", fills ? "is refuse, mark or a number" : "is refuse or mark")
            return .refused
        }
    }

    private static func bounds(_ reader: inout DeclarationReader) -> (Double, Double)? {
        let low = reader.required("min", reader.number("min"))
        let high = reader.required("max", reader.number("max"))
        guard let low, let high else { return nil }
        guard low < high else {
            reader.fault("max", "is not above min")
            return nil
        }
        return (low, high)
    }

    private static func distinct(
        _ values: [String], _ field: String, _ reader: inout DeclarationReader, atLeast: Int
    ) -> Bool {
        guard (atLeast...Limits.classesMax).contains(values.count) else {
            reader.fault(field, "has \(values.count), not \(atLeast) to \(Limits.classesMax)")
            return false
        }
        guard Set(values).count == values.count else {
            reader.fault(field, "has a value twice")
            return false
        }
        return true
    }

    private static func targetKind(_ reader: inout DeclarationReader) -> TableTarget.Kind? {
        if let values = reader.texts("values") {
            return distinct(values, "values", &reader, atLeast: 2) ? .classes(values) : nil
        }
        if let count = reader.integer("classes", in: 2...Limits.classesMax) {
            return .classes((0..<count).map(String.init))
        }
        if reader.value("min") == nil, reader.value("max") == nil {
            reader.fault("values", "give values or classes, or min and max of a number")
            return nil
        }
        return bounds(&reader).map { .number(min: $0.0, max: $0.1) }
    }

    // MARK: - Arrays

    private static func array(_ reader: inout DeclarationReader, _ format: Format) -> ArraySchema? {
        let shape = reader.required("shape", reader.integers("shape", in: 1...Limits.widthMax))
        let scaling = reader.map("normalisation") { scaling -> (Double, Double)? in
            if let centre = scaling.number("mean") {
                let spread = scaling.required(
                    "deviation", scaling.number("deviation", in: 1e-12...1e12))
                return spread.map { (centre, $0) }
            }
            return bounds(&scaling).map { (($0.0 + $0.1) / 2, ($0.1 - $0.0) / 2) }
        }
        let normalisation = reader.required("normalisation", scaling)
        let target = reader.required("target", reader.map("target") { targetKind(&$0) })
        guard let shape, let target, let (centre, spread) = normalisation else { return nil }
        var width = 1
        for extent in shape where width <= Limits.widthMax { width *= extent }
        guard (1...3).contains(shape.count), width <= Limits.widthMax else {
            reader.fault("shape", "has one to three extents, at most \(Limits.widthMax) in all")
            return nil
        }
        return ArraySchema(shape: shape, centre: centre, spread: spread, target: target)
    }
}
