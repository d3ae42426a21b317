import AegisNode
import ArgumentParser

struct JoinCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join",
        abstract: "Make this node's identity and join a mesh with an onboarding token.",
        discussion: """
            The key is made here and never leaves this directory. A join that fails leaves nothing
            behind.

            A mesh that is being founded is joined through its admin, one that runs through any \
            member: --peer, which may be repeated. There the node first follows and learns; an \
            administrator promotes it to a participant (`aegis node promote`).

            A member whose key or disk is lost comes back as itself with --replaces and a token \
            for that (`aegis token create --replaces NAME`), through the admin, also on another \
            machine: a new key takes the old one's place for good. What its data sets have spent \
            is then for their owner to say, unless their ledger survived (`aegis-node dataset \
            recover`).

            Example:
              aegis-node join --token aegisjoin1_… --admin 127.0.0.1:8444 --dir north \\
                --listen 127.0.0.1:7101
            """)

    @Option(help: "The onboarding token, as `aegis token create` printed it.")
    var token: String
    @Option(help: "What this member shall be called, where the token leaves that open.")
    var name: String = ""
    @Option(help: "The member whose place this node takes: its key or its disk is lost.")
    var replaces: String?
    @Option(help: "host:port of the admin's mesh listener, for a founding or --replaces.")
    var admin: String?
    @Option(help: "host:port of a member's mesh listener, for a mesh that runs; repeatable.")
    var peer: [String] = []
    @OptionGroup var directory: DirectoryOption
    @Option(help: "host:port this node listens on.")
    var listen: String
    @Option(help: "host:port the other nodes dial, where it differs from --listen.")
    var advertise: String?
    @Option(help: "host:port for plain /healthz, /readyz and /metrics; none where not given.")
    var monitor: String?

    func validate() throws {
        guard (admin == nil) != peer.isEmpty else {
            throw ValidationError("give --admin, or --peer for a mesh that runs")
        }
        guard replaces == nil || admin != nil else {
            throw ValidationError("--replaces goes through the admin: give --admin")
        }
    }

    func run() async throws {
        try await reportingFailure {
            let plan = JoinPlan(
                token: token, directory: directory.dir, listen: listen,
                advertise: advertise ?? listen, monitor: monitor, name: replaces ?? name)
            let outcome: JoinPlan.Outcome
            if let admin, replaces != nil {
                outcome = try await Replacing(plan, admin: admin).join()
            } else if let admin {
                outcome = try await Joining(plan, admin: admin).join()
            } else {
                outcome = try await LiveJoining(plan, peers: peer).join()
            }
            print("joined mesh \(outcome.meshName) as \(outcome.name)")
            print("node id \(outcome.node)")
            print("next: aegis-node run --dir \(directory.dir)")
        }
    }
}
