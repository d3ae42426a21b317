import Testing

/// Waits until `condition` gives a value, and looks again every few milliseconds. The deadline is
/// for a machine that is busy with other things; a test that passes never gets near it.
func awaited<Value>(
    _ what: String, within limit: Duration = .seconds(30),
    _ condition: () async throws -> Value?
) async throws -> Value {
    let clock = ContinuousClock()
    let end = clock.now + limit
    while true {
        if let value = try await condition() { return value }
        guard clock.now < end else { throw NeverHappened(what: what) }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// The same for a fact.
func eventually(
    _ what: String, within limit: Duration = .seconds(30),
    _ condition: () async throws -> Bool
) async throws {
    try await awaited(what, within: limit) { try await condition() ? () : nil }
}

struct NeverHappened: Error, CustomStringConvertible {
    let what: String
    var description: String { "never happened: \(what)" }
}
