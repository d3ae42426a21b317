package import AegisProtocol
package import AegisStore

/// Where adaptive clipping left the clip norm in a run's last round, so that the next one goes on
/// from there, also after a restart. It follows from noised counts alone: keeping it costs no
/// privacy. A round whose norm was lost begins from an earlier one, which is as private.
package struct ClipNorms: Sendable {
    private static let prefix = "clip-norm/"

    private let database: NodeDatabase

    package init(database: NodeDatabase) { self.database = database }

    /// Nil where the run's own is to be used.
    package func norm(for specification: RunSpecification) throws -> Float? {
        guard case .adaptive? = specification.privacy?.clipping,
            let bytes = try database.value(forKey: Self.key(specification)), bytes.count == 4
        else { return nil }
        let norm = Float(
            bitPattern: bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) })
        return norm.isFinite && norm > 0 ? norm : nil
    }

    /// Forgets those of other runs: a node trains for one at a time.
    package func keep(_ norm: Float?, for specification: RunSpecification) throws {
        guard case .adaptive? = specification.privacy?.clipping, let norm else { return }
        let key = Self.key(specification)
        for old in try database.keys(withPrefix: Self.prefix) where old != key {
            try database.setValue(nil, forKey: old)
        }
        let bits = norm.bitPattern
        try database.setValue(
            (0..<4).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }, forKey: key)
    }

    private static func key(_ specification: RunSpecification) -> String {
        prefix + specification.run.description
    }
}
