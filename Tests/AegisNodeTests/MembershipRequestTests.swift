import AegisCore
import AegisCrypto
import AegisIdentity
import AegisNode
import AegisProtocol
import AegisTransport
import Testing

@Suite("What a member asks of the mesh for itself")
struct MembershipRequestTests {
    private let mesh: TestMesh
    private var chain: ChainState { mesh.rules.initialState }

    init() throws { mesh = try TestMesh(members: 4) }

    private func outcome(
        _ change: MembershipChange, by key: IdentityKey
    ) throws -> MembershipRequest.Outcome {
        // As the node finds it on the disk.
        let left = try MembershipRequest(change, mesh: mesh.mesh, by: key)
        let found = try MembershipRequest(left.envelope)
        #expect(found.change == change)
        return found.outcome(in: chain, mesh: mesh.mesh)
    }

    @Test("is open, done, or refused for good")
    func outcomes() throws {
        let member = mesh.members[0]
        let stranger = IdentityKey.generate()
        let (leave, elsewhere) = try (
            outcome(.leave(member.node), by: member.key),
            outcome(.moveAddress(member.node, "127.0.0.1:9"), by: member.key)
        )
        guard case .open = leave, case .open = elsewhere else {
            Issue.record("\(leave), \(elsewhere)")
            return
        }
        let (same, gone) = try (
            outcome(.moveAddress(member.node, "\(member.address)"), by: member.key),
            outcome(.leave(stranger.publicKey), by: stranger)
        )
        guard case .done = same, case .done = gone else {
            Issue.record("\(same), \(gone)")
            return
        }
        let word = try outcome(
            .word(stranger.publicKey, .change(.evict(member.node, reason: "no"))), by: stranger)
        guard case .refused = word else {
            Issue.record("\(word)")
            return
        }
    }

    @Test("a file that holds something else, or was altered, is no request")
    func others() throws {
        let member = mesh.members[0]
        let run = mesh.command(.start(Sample.specification(rounds: 3)))
        #expect(throws: NodeError.self) { try MembershipRequest(run) }
        let request = try MembershipRequest(.leave(member.node), mesh: mesh.mesh, by: member.key)
        var bytes = request.envelope.bytes
        bytes[bytes.count - 1] ^= 1
        #expect(throws: NodeError.self) { try MembershipRequest(SignedEnvelope(parsing: bytes)) }
    }
}
