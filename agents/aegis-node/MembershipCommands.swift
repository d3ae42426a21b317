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
