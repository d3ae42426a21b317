import AegisAPI
import AegisCore
import AegisNode
import ArgumentParser

/// What the participants decide without their admin.
struct MotionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "motion",
        abstract: "Decide with the other participants, without the admin.",
        discussion: """
            Each participant's owner gives its node's word; with the words of a quorum a motion is \
            carried, whatever the admin says. So the mesh lets nodes in, gives them votes, evicts, \
            changes its policy and takes another admin while its own is away, lost or hostile. \
            Each word is a decision of the mesh, for everybody to see, and counts for seven days.

            Example:
              aegis-node motion promote east --dir north
              aegis-node motion list --dir south
              aegis-node motion agree 3f9a21c44be07d15 --dir south
            """,
        subcommands: [
            List.self, Agree.self, Withdraw.self, Token.self, Revoke.self, Promote.self,
            Suspend.self, Resume.self, Evict.self, Policy.self, Admin.self,
        ])

    /// Gives the word and says how it stands.
    static func give(_ draft: MotionDraft, _ directory: DirectoryOption) async throws {
        try await reportingFailure {
            let act = MembershipAct(NodeDirectory(directory.dir))
            guard let standing = try await act.ask(.word(draft)) else { return }
            print(words(of: standing))
        }
    }

    static func words(of standing: MotionStanding) -> String {
        let view = standing.view
        guard !standing.isCarried else { return "carried: \(view.motion)" }
        return """
            \(view.motion)
            \(view.words.count) of the \(view.quorum) words that it takes: \
            \(view.words.joined(separator: ", "))
            the others' owners: aegis-node motion agree \(view.id) --dir DIR
            """
    }
}

extension MotionCommand {
    /// Whom a motion is about, and whose word it is.
    struct MemberArguments: ParsableArguments {
        @Argument(help: "The member's name or key.") var member: String
        @OptionGroup var directory: DirectoryOption
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the motions that are open, by what this node has of the chain.")

        @OptionGroup var directory: DirectoryOption

        func run() async throws {
            try await reportingFailure {
                let motions = try MotionStanding.open(NodeDirectory(directory.dir))
                guard !motions.isEmpty else { return print("no motion is open") }
                for view in motions {
                    print("\(view.id)  \(view.words.count) of \(view.quorum)  \(view.motion)")
                    let indent = String(repeating: " ", count: view.id.count + 2)
                    print(indent + view.words.joined(separator: ", "))
                }
            }
        }
    }

    struct Agree: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give this node's word for a motion that is open.")

        @Argument(help: "Its id in the list; at least the first 8 digits.") var id: String
        @OptionGroup var directory: DirectoryOption

        func run() async throws { try await give(.listed(id), directory) }
    }

    struct Withdraw: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take this node's word back.")

        @Argument(help: "The motion's id in the list; at least the first 8 digits.") var id: String
        @OptionGroup var directory: DirectoryOption

        func run() async throws {
            try await reportingFailure {
                let act = MembershipAct(NodeDirectory(directory.dir))
                let standing = try await act.ask(.withdraw(.listed(id)))
                print("taken back: \(standing?.view.motion ?? id)")
            }
        }
    }

    struct Token: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let nodes in: a token that is good once a quorum has given its word.",
            discussion: """
                The token is printed here and nowhere else. Who joins with it learns first; \
                `motion promote` gives it a vote.

                Example:
                  aegis-node motion token --name east --expires 4h --dir north
                """)

        @Option(help: "What the member will be called; without it, what its node says.")
        var name = ""
        @Option(help: "How long the token is good for: 90s, 30m, 4h; a day at most.")
        var expires = "4h"
        @Option(help: "How many nodes may use it, each once; without --name.")
        var uses = 1
        @Flag(help: "To watch only.")
        var observer = false
        @OptionGroup var directory: DirectoryOption

        func run() async throws {
            guard let seconds = TimeSpan.seconds(expires), (60...86_400).contains(seconds) else {
                throw ValidationError("--expires \(expires): give 90s, 30m or 4h, a day at most")
            }
            guard uses == 1 || (2...Limits.participantsMax).contains(uses) && name.isEmpty else {
                throw ValidationError(
                    "--uses counts nodes, \(Limits.participantsMax) at most, and --name fits one")
            }
            try await reportingFailure {
                let made = try await MembershipAct(NodeDirectory(directory.dir)).sponsor(
                    name: name, uses: uses, seconds: seconds, observes: observer)
                print(words(of: made.standing))
                print(
                    """
                    \(made.token)
                    once it is carried: aegis-node join --token TOKEN --peer \(made.peer) \
                    --dir DIR --listen HOST:PORT
                    """)
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a token void.")

        @Argument(help: "The token's id, as the motion for it names it.") var token: String
        @OptionGroup var directory: DirectoryOption

        func run() async throws { try await give(.revoke(token: token), directory) }
    }

    struct Promote: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Give a learner a vote.")

        @OptionGroup var about: MemberArguments

        func run() async throws { try await give(.promote(about.member), about.directory) }
    }

    struct Suspend: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a participant's vote and updates rest.")

        @OptionGroup var about: MemberArguments
        @Option(help: "For everybody to read.") var reason = ""

        func run() async throws {
            try await give(.suspend(about.member, reason: reason), about.directory)
        }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a suspended participant its vote back.")

        @OptionGroup var about: MemberArguments

        func run() async throws { try await give(.resume(about.member), about.directory) }
    }

    struct Evict: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a member out of the mesh, for good.")

        @OptionGroup var about: MemberArguments
        @Option(help: "For everybody to read.") var reason = ""

        func run() async throws {
            try await give(.evict(about.member, reason: reason), about.directory)
        }
    }

    struct Policy: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change what the founders agreed to.",
            discussion: """
                What isn't given stays as it is.

                Example:
                  aegis-node motion policy --view-timeout-ms 8000 --dir north
                """)

        @Flag(inversion: .prefixedNo, help: "Three participants decide only all together.")
        var strictThree: Bool?
        @Option(help: "How long a coordinator is waited for; 50 to 600000.")
        var viewTimeoutMs: UInt64?
        @Option(help: "The admin evicts one participant in so long a time: 90s, 30m, 24h.")
        var evictionInterval: String?
        @OptionGroup var directory: DirectoryOption

        func run() async throws {
            guard viewTimeoutMs.map({ (50...600_000).contains($0) }) ?? true else {
                throw ValidationError("--view-timeout-ms is from 50 to 600000")
            }
            let seconds = try evictionInterval.map { text in
                guard let seconds = TimeSpan.seconds(text), seconds <= 366 * 86_400 else {
                    throw ValidationError(
                        "--eviction-interval: give 90s, 30m or 24h, a year at most")
                }
                return seconds
            }
            guard strictThree != nil || viewTimeoutMs != nil || seconds != nil else {
                throw ValidationError("nothing to change: see --help")
            }
            try await give(
                .policy(
                    strictThree: strictThree, viewTimeoutMilliseconds: viewTimeoutMs,
                    evictionSeconds: seconds.map(UInt64.init)),
                directory)
        }
    }

    struct Admin: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make another key the admin's.",
            discussion: """
                Where the admin's key is lost or in the wrong hands, its successor makes a folder \
                with `aegis-admin adopt` and hands consent.cose to the participants' owners. Once \
                a quorum of them has given its word, the new key is the mesh's admin: the old one \
                is let in nowhere, its tokens are void. Have the successor tell you the key \
                itself, not only the file.

                Example:
                  aegis-node motion admin consent.cose --key 6kq5czd2vt4jx7hb --dir north
                """)

        @Argument(help: "The file consent.cose of the next admin's folder.")
        var consent: String
        @Option(help: "The next admin's key as its owner told it; at least 16 characters of it.")
        var key: String
        @OptionGroup var directory: DirectoryOption

        func run() async throws { try await give(.admin(consent: consent, key: key), directory) }
    }
}
