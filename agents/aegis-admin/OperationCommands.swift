import AegisAdmin
import ArgumentParser

struct BackUp: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copies an admin's folder while it runs.",
        discussion: """
            Everything but the blobs, which the nodes have: keys, authority, store, audit files, \
            and a list of their digests. Keep it as safe as the folder itself.

            Example:
              aegis-admin backup --dir admin --to admin-backup
            """)

    @Option(help: "The admin's folder.") var dir: String
    @Option(help: "The folder to make.") var to: String

    func run() async throws {
        let manifest = try await Backup.make(of: dir, to: to)
        AdminProgram.write(
            "backup of \(manifest.files.count) files in \(to), "
                + "audit record \(manifest.auditRecords) \(manifest.auditHead)\n")
    }
}

struct Restore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Checks a backup and makes an admin's folder of it.",
        discussion: """
            Commits that the mesh made since are fetched from the nodes at the next start.

            Example:
              aegis-admin restore --from admin-backup --dir admin
            """)

    @Option(help: "The backup's folder.") var from: String
    @Option(help: "The folder to make.") var dir: String

    func run() async throws {
        let manifest = try await Backup.restore(from: from, to: dir)
        AdminProgram.write(
            "restored \(dir) as of \(manifest.createdAt)\nstart it: aegis-admin run --dir \(dir)\n")
    }
}

struct IssueUser: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user",
        abstract: "Lets a user in from the admin's own machine, for when nobody else can.",
        discussion: """
            Makes the user, or enables it, and writes a new certificate. It is in the audit log.

            Example:
              aegis-admin user ada --role admin --dir admin --to ada-credentials
            """)

    @Argument(help: "The user's name.") var name: String
    @Option(help: "admin, operator, auditor or viewer.") var role: String
    @Option(help: "The admin's folder.") var dir: String
    @Option(help: "The folder to make.") var to: String

    func run() async throws {
        let passphrase = try await Recovery.issue(
            name, role: role, directory: dir, to: to, passphrase: AdminProgram.passphrase)
        AdminProgram.write(
            """
            credentials of \(name) in \(to)

              context         aegis context add \(name) \(to)/context.json
              for a browser   \(to)/browser.p12
              its passphrase  \(passphrase)  (shown once, kept nowhere)

            """)
    }
}
