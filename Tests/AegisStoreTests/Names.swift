import AegisCore

/// Node `n` of the tests.
func node(_ number: UInt8) -> NodeID {
    guard let node = NodeID([UInt8](repeating: number, count: 32)) else {
        preconditionFailure("32 bytes")
    }
    return node
}

func digest(_ number: UInt8) -> Digest {
    guard let digest = Digest([UInt8](repeating: number, count: 32)) else {
        preconditionFailure("32 bytes")
    }
    return digest
}
