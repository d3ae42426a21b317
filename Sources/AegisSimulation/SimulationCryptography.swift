package import AegisCore
package import AegisProtocol

/// The keys of everybody in a simulation.
package protocol SimulationCryptography: ProtocolCryptography {
    /// The node whose key is made of this number.
    func node(_ number: UInt8) -> NodeID
    func sign(_ type: StatementType, from node: NodeID, payload: [UInt8]) -> SignedEnvelope
}
