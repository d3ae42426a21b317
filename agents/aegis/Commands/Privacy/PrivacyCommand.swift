package import ArgumentParser

package struct PrivacyCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "privacy",
        abstract: "Audits the mechanism, and shows and checks privacy ledgers. Offline.",
        subcommands: [LedgerCommand.self, PrivacyAuditCommand.self])

    package init() {}
}
