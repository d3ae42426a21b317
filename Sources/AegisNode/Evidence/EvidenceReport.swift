package import AegisAPI
import AegisCore

/// The first thing that is wrong with evidence, and where.
package struct EvidenceFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file, as it is named in the folder.
    package let place: String
    package let reason: String

    package var description: String { "\(place): \(reason)" }
}

/// What was verified before the first fault, or in all.
package struct EvidenceReport: Codable, Hashable, Sendable {
    package internal(set) var verified = false
    package internal(set) var meshName = ""
    package internal(set) var mesh = ""
    /// The trust root. Compare it with what `aegis mesh show` says, or give it with --genesis.
    package internal(set) var genesis = ""
    package internal(set) var isGenesisPinned = false
    package internal(set) var participants: [String] = []
    package internal(set) var quorum = 0
    /// Of the roster after the last decision: how often it has changed.
    package internal(set) var epoch: UInt64 = 0
    package internal(set) var height: UInt64 = 0
    package internal(set) var tip = ""
    package internal(set) var runs: [Run] = []
    /// Coordinators that were elected because the one before gave no result in time, with the
    /// quorum's signatures for it here.
    package internal(set) var elections = 0
    /// The same, without these signatures: the node that kept this evidence did not have them.
    package internal(set) var electionsNotKept = 0
    /// Up to this height everything is final; what comes after is decided by a quorum only.
    package internal(set) var final: FinalityView?
    package internal(set) var updates = 0
    package internal(set) var blobs = 0
    /// What `model.safetensors` is.
    package internal(set) var model: String?
    package internal(set) var fault: String?
    package internal(set) var place: String?

    package struct Run: Codable, Hashable, Sendable {
        package let id: String
        package let name: String
        package let startedAt: UInt64
        package internal(set) var rounds = 0
        /// Rounds whose aggregate and model came out again, bit for bit, from the signed updates.
        package internal(set) var recomputed = 0
        package internal(set) var model: String
        /// Of its last round.
        package internal(set) var height: UInt64
        /// Whether the model is final, not only committed.
        package internal(set) var isFinal = false
    }

    package init() {}

    package var rounds: Int { runs.reduce(0) { $0 + $1.rounds } }
    package var recomputed: Int { runs.reduce(0) { $0 + $1.recomputed } }
}
