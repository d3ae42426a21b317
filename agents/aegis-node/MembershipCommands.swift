import AegisNode
import ArgumentParser

struct LeaveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "leave",
        abstract: "Take this node out of its mesh, for good.",
        discussion: """
            Signed with the node's own key and decided by the others; its key is never admitted \
            again. The node may be running; stop it afterwards. Its folder stays.

            Example:
              aegis-node leave --dir north
            """)

    @OptionGroup var directory: DirectoryOption

    func run() async throws {
        try await reportingFailure {
            try await MembershipAct(NodeDirectory(directory.dir)).ask(.leave)
            print("left the mesh; this identity is not admitted again")
        }
    }
}

struct MoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "move",
        abstract: "Tell the mesh this node's new address.",
        discussion: """
            Once it is decided, change listen and advertise in node.yaml and start the node again.

            Example:
              aegis-node move --dir north --advertise north.example:7101
            """)

    @OptionGroup var directory: DirectoryOption
    @Option(help: "host:port the other nodes dial from then on.")
    var advertise: String

    func run() async throws {
        try await reportingFailure {
            try await MembershipAct(NodeDirectory(directory.dir)).ask(.move(to: advertise))
            print("the mesh dials \(advertise) from now on")
        }
    }
}

struct RotateKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-key",
        abstract: "Give this node another identity key.",
        discussion: """
            Signed with the old key and the new one, and decided by the others. The node keeps its \
            name, its standing, its data and its privacy ledger, and runs on: a quorum of the \
            others goes on meanwhile. The old key is never admitted again. A crash at any point \
            costs nothing: the node goes on where it was. Where the node is stopped, it changes \
            its key when it runs again.

            Example:
              aegis-node rotate-key --dir north
            """)

    @OptionGroup var directory: DirectoryOption

    func run() async throws {
        try await reportingFailure {
            let outcome = try await KeyRotation(NodeDirectory(directory.dir)).rotate {
                print("new key \($0)")
            }
            switch outcome {
            case .replaced: print("the mesh knows this node by it; the old one is dead")
            case .prepared:
                print("the node is stopped: it changes its key as soon as it runs")
                print("next: aegis-node run --dir \(directory.dir)")
            }
        }
    }
}

struct IdentityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "identity",
        abstract: "Print this node's identity key, for an organisation to certify.",
        discussion: """
            The public key in PEM; with --next that of the key that `rotate-key` has made. An \
            organisation's authority signs a certificate over it:

              aegis-node identity --dir north >north.pub
              openssl x509 -new -force_pubkey north.pub -subj /CN=north -days 365 \\
                -CA ca.pem -CAkey ca.key -out north.pem
            """)

    @OptionGroup var directory: DirectoryOption
    @Flag(help: "The key that is to take its place.")
    var next = false

    func run() async throws {
        try await reportingFailure {
            print(
                try KeyRotation(NodeDirectory(directory.dir)).publicKeyPEM(ofNext: next),
                terminator: "")
        }
    }
}
