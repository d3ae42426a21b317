extension SliceDeclaration {
    /// Reads `I/N` and `iid` or `dirichlet:ALPHA`; nil where there is no slice.
    package init?(slice: String?, partition: String, seed: UInt64) throws(NodeError) {
        guard let slice else { return nil }
        let parts = slice.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let index = Int(parts[0]), let count = Int(parts[1]) else {
            throw .slice(slice)
        }
        let alpha: Double?
        if partition == "iid" {
            alpha = nil
        } else if partition.hasPrefix("dirichlet:"), let value = Double(partition.dropFirst(10)) {
            alpha = value
        } else {
            throw .slice("\(slice) with --partition \(partition) (iid or dirichlet:ALPHA)")
        }
        self.init(index: index, count: count, seed: seed, dirichletAlpha: alpha)
    }
}
