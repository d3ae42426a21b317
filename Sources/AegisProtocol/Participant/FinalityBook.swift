import AegisCore

/// The last decided heights, while co-signatures of them are collected (PROTOCOL.md §2.8), and what
/// was signed there, for as long as it may have to prove who forked the chain.
struct FinalityBook: Sendable {
    /// The lowest first, at most `ProtocolLimits.unfinishedMax`, without gaps.
    private(set) var heights: [UnfinishedHeight] = []
    /// The highest final height that this node knows, and what proves it.
    var final: (finality: Finality, certificate: FinalCertificate)?
    /// The last header that this node co-signed: any later one must extend it.
    var last: (height: UInt64, value: Digest)?
    /// Of the tip, to be sent again.
    var own: SignedEnvelope?
    /// When another chain was last asked for.
    var askedAt: Instant?

    var top: UnfinishedHeight? { heights.last }
    var finalHeight: UInt64 { final?.finality.height ?? 0 }

    /// Whether the tip's co-signature is out and isn't answered by enough others.
    var isOwnUnanswered: Bool { own != nil && finalHeight < top?.height ?? 0 }

    mutating func add(_ height: UnfinishedHeight) {
        heights.append(height)
        if heights.count > ProtocolLimits.unfinishedMax { heights.removeFirst() }
        own = nil
    }

    subscript(height: UInt64) -> UnfinishedHeight? { index(of: height).map { heights[$0] } }

    func index(of height: UInt64) -> Int? {
        guard let first = heights.first?.height, height >= first,
            height - first < UInt64(heights.count)
        else { return nil }
        return Int(height - first)
    }

    mutating func change<Result>(
        _ index: Int, _ change: (inout UnfinishedHeight) -> Result
    ) -> Result {
        change(&heights[index])
    }
}

struct UnfinishedHeight: Sendable {
    let height: UInt64
    let value: Digest
    /// Of the roster that decided it.
    let rules: MeshRules
    /// Without its body.
    let record: CommitRecord
    /// By place in that roster.
    private var coSigns: [Placed<CoSign>?]
    /// For another header, one of each signer at most.
    private(set) var contrary: [Placed<CoSign>] = []
    /// Votes and timeouts of the height.
    let transcript: [SignedEnvelope]

    init(
        height: UInt64, value: Digest, rules: MeshRules, record: CommitRecord,
        transcript: [SignedEnvelope]
    ) {
        self.height = height
        self.value = value
        self.rules = rules
        self.record = record.withoutBody
        self.transcript = transcript
        coSigns = Array(repeating: nil, count: rules.roster.count)
    }

    /// False where it is known.
    mutating func insert(_ placed: Placed<CoSign>) -> Bool {
        guard coSigns[placed.index] == nil else { return false }
        coSigns[placed.index] = placed
        return true
    }

    mutating func insertContrary(_ placed: Placed<CoSign>) {
        guard !contrary.contains(where: { $0.index == placed.index }) else { return }
        contrary.append(placed)
    }

    func coSign(of index: Int) -> Placed<CoSign>? { coSigns[index] }

    /// Whose co-signature is missing.
    var missing: [NodeID] {
        coSigns.indices.filter { coSigns[$0] == nil }.map { rules.roster.entries[$0].node }
    }

    var coSigned: FinalCertificate {
        FinalCertificate(coSigns: coSigns.compactMap { $0?.envelope })
    }

    var certificate: FinalCertificate? {
        let all = coSigned
        return all.coSigns.count >= rules.finalQuorum ? all : nil
    }

    var finality: Finality {
        Finality(
            height: height, value: value, signatures: coSigns.count { $0 != nil },
            participants: rules.roster.count)
    }
}
