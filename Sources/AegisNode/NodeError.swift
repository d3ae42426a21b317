package import AegisCore
package import AegisIdentity
import AegisStore
import AegisTransport

/// Why a node can't do what its owner asked.
package enum NodeError: Error, Sendable {
    case notJoined(String)
    case alreadyJoined(String)
    case directory(IdentityDirectoryError)
    case datasetExists(String)
    case datasetMissing(String)
    /// No file of this name, plain or gzipped.
    case datasetFileMissing(String)
    case dataset(String, reason: String)
    case token(JoinTokenError)
    case join(JoinError)
    /// What the admin answered: its problem's type and words.
    case joinRefused(code: String, detail: String)
    case adminUnreachable(String, reason: String)
    /// Who listens there knows no reason to speak with this node.
    case notLetIn(String)
    /// What listens there is not of the mesh that the token or the earlier join names.
    case adminNotAuthentic(String, PeerCertificateError)
    /// The genesis that was closed does not have this node as it joined.
    case leftOutOfGenesis
    case genesisRefused(GenesisError)
    /// What the mesh will not decide about this node, or has not.
    case membershipRefused(String)
    /// What this node's owner was to agree to.
    case adminRefused(String)
    /// What this node's owner wants the mesh to decide can't be said.
    case motionRefused(String)
    /// The new key is on the disk, and the running node goes on asking.
    case keyChangeUndecided(NodeID)
    case slice(String)
}

/// An error in words, with the next step where there is one.
package struct FailureReport: Sendable {
    package let message: String
    package let hint: String?

    package init(_ error: any Error) {
        switch error {
        case let error as NodeError: (message, hint) = Self.words(error)
        case let error as IdentityDirectoryError: (message, hint) = Self.words(error)
        case ProcessLockError.held(let directory, let process):
            message =
                "a node runs in \(directory) already"
                + (process.map { ": process \($0)" } ?? "")
            hint = "stop that one first; two with one identity would vote twice"
        case LedgerFileError.heldByAnother(let path, let process):
            message =
                "another process has the privacy ledger \(path)"
                + (process.map { ": process \($0)" } ?? "")
            hint = "stop that one first; two could spend one budget twice"
        case let error as LedgerBookError:
            message = "\(error)"
            hint =
                "nothing is trained on; restore the ledger's file from a copy, or find out who "
                + "changed it: aegis-node check, aegis privacy ledger show"
        case MeshServerError.notListening(let address, let reason):
            message = "can't listen on \(address): \(reason)"
            hint = "free the port, or change listen in node.yaml"
        case let error as OrganisationFileError:
            message = "tls in node.yaml: \(error)"
            hint = "docs/OPERATIONS.md says how such a certificate is made: aegis-node identity"
        case let error as ConfigurationError:
            message = "node.yaml: \(error)"
            hint = "correct the file, then start again"
        default:
            message = "\(error)"
            hint = nil
        }
    }

    private static func words(_ error: NodeError) -> (String, String?) {
        switch error {
        case .notJoined(let path):
            ("there is no node in \(path)", "join first: aegis-node join --token … --dir \(path)")
        case .alreadyJoined(let path):
            ("\(path) is already in use", "choose another --dir; an identity is never overwritten")
        case .directory(let error): words(error)
        case .datasetExists(let name):
            ("data set \(name) is already declared", "edit node.yaml to change it")
        case .datasetMissing(let name):
            (
                "no data set \(name) is declared",
                "declare it: aegis-node dataset add --dir … \(name) --source …"
            )
        case .datasetFileMissing(let path):
            (
                "\(path)[.gz] is missing",
                "on Debian, `apt-get install dataset-fashion-mnist` puts the files into "
                    + "/usr/share/datasets/fashion-mnist"
            )
        case .dataset(let name, let reason): ("data set \(name): \(reason)", nil)
        case .token(let error): words(error)
        case .join(let error): ("the join failed (\(error.code)): \(error)", hint(for: error.code))
        case .joinRefused(let code, let detail):
            ("the admin refused the join (\(code)): \(detail)", hint(for: code))
        case .adminUnreachable(let address, let reason):
            (
                "no answer from the admin at \(address): \(reason)",
                "check --admin (its mesh listener, not its API) and that aegis-admin runs"
            )
        case .notLetIn(let address):
            (
                "\(address) does not let this node in: it knows of no token that is open",
                "a token opens once the mesh has decided it, and ends with its time and its uses; "
                    + "try again in a moment, or ask for another"
            )
        case .adminNotAuthentic(let address, let reason):
            (
                "what listens at \(address) is not this mesh's admin: \(reason)",
                "the token is of another mesh, or --admin is wrong"
            )
        case .leftOutOfGenesis:
            (
                "the mesh was founded without this node",
                "ask the admin for a way to join the running mesh"
            )
        case .membershipRefused, .motionRefused, .adminRefused, .keyChangeUndecided:
            decisionWords(error)
        case .genesisRefused(let error): ("the genesis is not acceptable: \(error)", nil)
        case .slice(let text): ("--slice \(text) is not I/N with 0 <= I < N", nil)
        }
    }

    /// Of what the mesh decides about its members.
    private static func decisionWords(_ error: NodeError) -> (String, String?) {
        switch error {
        case .membershipRefused(let reason):
            ("the mesh does not take this: \(reason)", "who is what: aegis mesh members")
        case .motionRefused(let reason):
            (reason, "aegis-node motion list shows what is open and how far it is")
        case .adminRefused(let reason):
            (
                "this admin is not approved: \(reason)",
                "ask the next admin's owner for the key and for consent.cose, by two ways"
            )
        case .keyChangeUndecided(let node):
            (
                "the mesh has not decided within 90 s that this node is \(node.short) from now on",
                "the running node goes on asking and then changes by itself; its log says more"
            )
        default: ("\(error)", nil)
        }
    }

    private static func words(_ error: IdentityDirectoryError) -> (String, String?) {
        switch error {
        case .alreadyExists(let path):
            ("\(path) already exists", "choose another --dir; an identity is never overwritten")
        case .insecureMode(let path, let mode, let allowed):
            (
                "\(path) has mode \(String(mode & 0o777, radix: 8)); others could read it",
                "chmod \(String(allowed & mode & 0o700, radix: 8)) \(path)"
            )
        case .failed(let operation, let path, let code):
            (
                "can't \(operation) \(path): errno \(code)",
                "check that the folder exists and belongs to you"
            )
        default: ("\(error)", nil)
        }
    }

    private static func words(_ error: JoinTokenError) -> (String, String?) {
        switch error {
        case .notAToken: ("this is no onboarding token", "it starts with aegisjoin1_")
        case .wrongLength(let count):
            ("the token has \(count) characters, not 141", "copy all of it")
        case .badChecksum: ("the token has a typing error", "copy it again")
        case .unsupportedVersion(let version):
            ("the token has version \(version), which this program does not know", nil)
        case .expired: ("the token has expired", "ask for a new one: aegis token create")
        case .notAfterOutOfRange: ("the token's expiry is out of range", nil)
        }
    }

    private static func hint(for code: String) -> String? {
        switch code {
        case "live-token": "name a member's mesh listener: --peer host:port"
        case "founding-token": "name the admin's mesh listener: --admin host:port"
        case "token-used", "token-expired", "unknown-token":
            "ask the admin for a new token: aegis token create"
        case "wrong-founding", "other-mesh", "foreign-mesh":
            "the token is of another mesh than the one at --admin"
        case "not-ready":
            "the mesh replaces or evicts one participant a day at most: aegis mesh members"
        case "name-taken": "ask the admin for a token with another name"
        default: nil
        }
    }
}
