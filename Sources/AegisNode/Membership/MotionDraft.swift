package import AegisAPI
import AegisCore
package import AegisIdentity
package import AegisProtocol

/// What a participant's owner wants the mesh to decide without its admin, as the owner says it.
package enum MotionDraft: Sendable {
    /// The file that `aegis-admin adopt` has written, and the key that its owner has told, or how
    /// it begins.
    case admin(consent: String, key: String)
    case promote(String)
    case suspend(String, reason: String)
    case resume(String)
    case evict(String, reason: String)
    /// An empty name: whatever the node says it is called.
    case grant(JoinToken, name: String, uses: Int, purpose: JoinGrant.Purpose)
    case revoke(token: String)
    /// What is left out stays as it is.
    case policy(strictThree: Bool?, viewTimeoutMilliseconds: UInt64?, evictionSeconds: UInt64?)
    /// What somebody has given its word for: its id, or at least the first eight digits.
    case listed(String)

    private static let idCharactersMin = 8

    func motion(_ rules: MeshRules, _ chain: ChainState) throws(NodeError) -> Motion {
        func member(_ name: String) throws(NodeError) -> NodeID {
            let found = chain.roster.members.first { $0.name == name || $0.node.text == name }
            guard let found else { throw .motionRefused("the mesh has no member \(name)") }
            return found.node
        }
        switch self {
        case .admin(let consent, let key):
            return .admin(
                try AdminSuccession.replacement(
                    consent, key: key, mesh: rules.mesh, admin: chain.admin))
        case .promote(let name): return .change(.promote(try member(name)))
        case .suspend(let name, let reason):
            return .change(.suspend(try member(name), reason: reason))
        case .resume(let name): return .change(.resume(try member(name)))
        case .evict(let name, let reason):
            return .change(.evict(try member(name), reason: reason))
        case .grant(let token, let name, let uses, let purpose):
            return .change(
                .grantToken(
                    JoinGrant(
                        tokenID: token.id, tokenKey: token.publicKey, purpose: purpose, name: name,
                        usesMax: uses, notAfter: token.notAfter * 1_000)))
        case .revoke(let token):
            guard let id = Hexadecimal.decode(token), id.count == 8 else {
                throw .motionRefused("\(token.prefix(64)) is no token's id: 16 hexadecimal digits")
            }
            return .change(.revokeToken(id))
        case .policy(let strictThree, let viewTimeout, let evictionSeconds):
            var policy = chain.policy
            policy.strictThree = strictThree ?? policy.strictThree
            policy.viewTimeoutMilliseconds = viewTimeout ?? policy.viewTimeoutMilliseconds
            if let evictionSeconds { policy.removalIntervalMilliseconds = evictionSeconds * 1_000 }
            return .policy(policy)
        case .listed(let id):
            guard id.count >= Self.idCharactersMin else {
                throw .motionRefused("an id takes \(Self.idCharactersMin) digits at least")
            }
            let found = rules.openMotions(in: chain).filter { $0.id.hasPrefix(id.lowercased()) }
            guard let motion = found.first?.motion else {
                throw .motionRefused("no motion is open whose id begins with \"\(id.prefix(64))\"")
            }
            guard found.count == 1 else {
                throw .motionRefused("\(found.count) motions' ids begin with \(id.prefix(64))")
            }
            return motion
        }
    }
}

/// How it stands with a motion.
package struct MotionStanding: Sendable {
    package let view: MotionView
    /// What it wants has come about.
    package let isCarried: Bool

    init(_ motion: Motion, _ rules: MeshRules, _ state: ChainState) {
        view = MotionView(rules.open(motion, in: state))
        isCarried = state.isMoot(motion, at: state.committedTime)
    }

    /// All that are open, by what this node's disk has of the chain.
    package static func open(_ directory: NodeDirectory) throws -> [MotionView] {
        let (rules, chain) = try MembershipAct.chain(of: directory)
        return rules.openMotions(in: chain).map(MotionView.init)
    }
}

extension MotionView {
    fileprivate init(_ open: OpenMotion) {
        self.init(id: open.id, motion: open.text, words: open.words, quorum: open.quorum)
    }
}
