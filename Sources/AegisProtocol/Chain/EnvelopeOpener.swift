import AegisCore

/// Verifies envelopes, and remembers which it has verified: the votes of a certificate have mostly
/// been seen before.
struct EnvelopeOpener: Sendable {
    private var rules: MeshRules
    private var verified: [Digest: Verified<[UInt8]>] = [:]
    /// In the order they came, so that the oldest goes first.
    private var order: [Digest] = []
    private var oldest = 0

    init(_ rules: MeshRules) { self.rules = rules }

    /// Another roster decides from here on; signatures stay verified.
    mutating func adopt(_ rules: MeshRules) { self.rules = rules }

    /// The payload of a statement of this type, its signature checked.
    mutating func open<Payload: Sendable>(
        _ envelope: SignedEnvelope, as type: StatementType,
        _ decode: ([UInt8]) throws(StatementError) -> Payload
    ) throws(EnvelopeRefusal) -> Verified<Payload> {
        guard envelope.type == type else { throw .unexpected(envelope.type) }
        guard let bytes = verify(envelope) else { throw .badSignature(envelope.sender) }
        do { return try bytes.map(decode) } catch { throw .malformed(error) }
    }

    /// The same for a statement of an agreement: of a participant, in this mesh, under this roster.
    mutating func open<Payload: AgreementStatement>(
        _ envelope: SignedEnvelope, as type: Payload.Type
    ) throws(EnvelopeRefusal) -> Placed<Payload> {
        // Before its signature costs anything.
        guard rules.roster.contains(envelope.sender) else {
            throw .notAParticipant(envelope.sender)
        }
        return try place(envelope, try openAny(envelope, as: type))
    }

    /// A statement of this mesh, by whomever, under whatever roster.
    mutating func openAny<Payload: AgreementStatement>(
        _ envelope: SignedEnvelope, as type: Payload.Type
    ) throws(EnvelopeRefusal) -> Payload {
        let statement = try open(envelope, as: Payload.type, Payload.init(payload:)).payload
        guard statement.scope.mesh == rules.mesh else { throw .foreignMesh }
        return statement
    }

    /// A statement that was opened, where its sender is a participant under this very roster.
    func place<Payload: AgreementStatement>(
        _ envelope: SignedEnvelope, _ statement: Payload, under other: MeshRules? = nil
    ) throws(EnvelopeRefusal) -> Placed<Payload> {
        let rules = other ?? rules
        guard let index = rules.roster.index(of: envelope.sender) else {
            throw .notAParticipant(envelope.sender)
        }
        guard statement.scope.roster == rules.rosterDigest else { throw .foreignRoster }
        return Placed(index: index, envelope: envelope, statement: statement)
    }

    private mutating func verify(_ envelope: SignedEnvelope) -> Verified<[UInt8]>? {
        guard envelope.bytes.count <= ProtocolLimits.verifiedBytesMax else {
            return rules.cryptography.verify(envelope)
        }
        let digest = rules.cryptography.digest(envelope.bytes)
        if let known = verified[digest] { return known }
        guard let new = rules.cryptography.verify(envelope) else { return nil }
        remember(new, as: digest)
        return new
    }

    private mutating func remember(_ new: Verified<[UInt8]>, as digest: Digest) {
        if order.count < ProtocolLimits.verifiedMax {
            order.append(digest)
        } else {
            verified[order[oldest]] = nil
            order[oldest] = digest
            oldest = (oldest + 1) % order.count
        }
        verified[digest] = new
    }
}

/// A verified statement of an agreement, and its sender's place in the roster.
struct Placed<Payload: Sendable>: Sendable {
    let index: Int
    let envelope: SignedEnvelope
    let statement: Payload
}

/// What is signed at a height and in a view.
protocol AgreementStatement: Sendable {
    static var type: StatementType { get }
    var scope: StatementScope { get }
    init(payload: [UInt8]) throws(StatementError)
}

extension HaveList: AgreementStatement { static var type: StatementType { .haveList } }
extension Proposal: AgreementStatement { static var type: StatementType { .proposal } }
extension Vote1: AgreementStatement { static var type: StatementType { .vote1 } }
extension Vote2: AgreementStatement { static var type: StatementType { .vote2 } }
extension Timeout: AgreementStatement { static var type: StatementType { .timeout } }
extension CoSign: AgreementStatement { static var type: StatementType { .coSign } }
