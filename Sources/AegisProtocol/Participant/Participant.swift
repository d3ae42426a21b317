package import AegisCore

/// One node's part in elections and rounds (Aegis Round Agreement, PROTOCOL.md §2). A value: no
/// clock, no network, no disk, no randomness of its own. The shell hands it inputs one at a time and
/// performs the effects in their order.
package struct Participant: Sendable {
    package let configuration: ParticipantConfiguration
    package private(set) var chain: ChainState

    /// Throws where the journal can't be what this node wrote: it must sign nothing then.
    package init(
        configuration: ParticipantConfiguration, restoring durable: DurableState
    ) throws(RestorationError) {
        self.configuration = configuration
        chain = durable.chain
    }

    /// Decides what follows from `input`. `wallTime` is the node's clock in milliseconds since 1970;
    /// it is only ever reported to the others, who take the median.
    package mutating func handle(
        _ input: Input, at now: Instant, wallTime: UInt64
    ) -> [Effect] {
        []
    }
}

/// Why a node's own journal is not believed.
package enum RestorationError: Error, Hashable, Sendable {
    case notAParticipant(NodeID)
    case foreignRecord
    case badSignature
    case malformed(StatementError)
}
