import AegisCore
import AegisIdentity
import AegisProtocol

/// Says what is wrong with a decision, with the participants' names.
struct EvidenceWords {
    let roster: Roster

    func name(_ node: NodeID) -> String { roster.name(of: node) ?? node.short }
    func name(at index: Int) -> String { roster.entries[index].name }

    static func of(_ error: GenesisError) -> String {
        switch error {
        case .founding: "the admin's signed founding does not hold"
        case .envelope: "a founder's signature does not fit"
        case .statement(let error): "can't be read: \(error)"
        case .noSignatures: "nobody has signed it"
        case .otherMesh, .otherFounding: "founding and first roster are of two meshes"
        case .policyMismatch: "its roster does not follow the founders' policy"
        case .adminIsAParticipant: "the admin is among the participants"
        case .differentStatement(let node): "\(node.short) signed another first roster"
        case .signerNotInRoster(let node):
            "\(node.short) signed it and is not in its roster"
        case .signedTwice(let node): "\(node.short) signed it twice"
        case .missingSignatures(let nodes):
            "not signed by \(nodes.map(\.short).joined(separator: ", ")), whom its roster names"
        }
    }

    func of(_ error: CommitError) -> String {
        switch error {
        case .value(let error): of(error)
        case .certificate(let error): "its certificate does not hold: " + of(error)
        case .anotherValue: "its votes are for another header than the one beside them"
        }
    }

    func of(_ error: CertificateError) -> String {
        switch error {
        case .envelope(let refusal): of(refusal)
        case .tooFewSigners(let count):
            "\(count) signatures, a quorum is \(roster.quorum)"
        case .signerTwice(let node): "\(name(node)) signed twice"
        case .mixed: "its signatures are not for one thing"
        case .wrongHeight: "it is of another height or view"
        case .highestMissing: "the certified value that its signers name is not attached"
        }
    }

    private func of(_ refusal: EnvelopeRefusal) -> String {
        switch refusal {
        case .badSignature(let node): "\(name(node))'s signature does not fit"
        case .notAParticipant(let node): "\(node.short) signed it and is no participant"
        case .notTheAuthor(let node): "\(node.short) may not ask for what it signed"
        case .unexpected(let type): "a signed \(type.rawValue) is out of place"
        case .malformed(let error): "a signed statement can't be read: \(error)"
        case .foreignMesh: "a signed statement is of another mesh"
        case .foreignRoster: "a signed statement is of another roster"
        }
    }

    private func of(_ error: ValueError) -> String {
        switch error {
        case .malformed(let error): "can't be read: \(error)"
        case .envelope(let refusal): of(refusal)
        case .tooFewLists(let count):
            "\(count) lists of what nodes held, a quorum is \(roster.quorum)"
        case .listOutOfPlace(let node): "\(name(node))'s list is out of its place"
        case .chain(.wrongPrevious(let previous)):
            "does not follow from the decision before it, but from \(previous)"
        case .chain(let error): "does not follow from the decision before it: \(error)"
        case .bodyDiffers: "its body is not the one its header names"
        case .headerDiffers: "its header is not what its lists and commands give"
        case .tooFewUpdates, .nothingToDecide, .evidence, .evidenceOutOfPlace,
            .commandOutOfPlace, .commandLeftOut:
            "breaks a rule: \(error)"
        }
    }
}
