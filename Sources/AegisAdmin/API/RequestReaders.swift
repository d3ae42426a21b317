import AegisAPI

/// The query string, with nothing in it that its route doesn't know.
enum QueryReader {
    static func read(
        _ query: String?, _ known: [Route.Parameter], _ faults: FaultList
    ) -> [String: String] {
        var values: [String: String] = [:]
        for pair in (query ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = decoded(parts[0]), let value = decoded(parts.count > 1 ? parts[1] : "")
            else {
                faults.add("query", "must be percent-encoded UTF-8")
                continue
            }
            guard let parameter = known.first(where: { $0.name == name }) else {
                let names = known.map(\.name).joined(separator: ", ")
                faults.add(
                    FieldReader.visible(name.prefix(64)),
                    "is not a parameter here; "
                        + (names.isEmpty ? "there is none" : "there is \(names)"))
                continue
            }
            guard values[name] == nil else {
                faults.add(name, "is there twice")
                continue
            }
            parameter.schema.check(typed(value, parameter.schema), at: name, faults)
            values[name] = value
        }
        return values
    }

    private static func decoded(_ text: Substring) -> String? {
        PercentEncoding.decode(String(text.map { $0 == "+" ? " " : $0 }))
    }

    /// A query has only text; what should be a number is read as one.
    private static func typed(_ value: String, _ schema: Schema) -> JSONValue {
        switch schema {
        case .integer: Int64(value).map { .integer($0) } ?? .text(value)
        case .number: Double(value).map { .number($0) } ?? .text(value)
        case .boolean:
            value == "true" ? .bool(true) : value == "false" ? .bool(false) : .text(value)
        default: .text(value)
        }
    }
}

/// The body as JSON, checked against its route's schema.
enum RequestBodyReader {
    static func read(
        _ bytes: [UInt8], type: String?, _ route: Route, _ faults: FaultList
    ) throws -> JSONValue {
        guard route.method != .get else { return .object([:]) }
        guard !bytes.isEmpty else {
            if route.body?.isRequired ?? false { faults.add("body", "is missing") }
            return .object([:])
        }
        let mediaType = (type ?? "").split(separator: ";").first ?? ""
        guard mediaType.lowercased() == "application/json" else {
            throw Problem(
                .unsupportedMediaType, detail: "it is \(type?.prefix(64) ?? "not named")",
                hint: "send it with content-type: application/json")
        }
        let document: JSONValue
        do { document = try AegisAPI.document(bytes) } catch {
            throw Problem(.malformed, detail: "it is not JSON")
        }
        if !route.traits.contains(.checksBody) {
            (route.body?.schema ?? .object([])).check(document, faults)
        }
        return document
    }
}
