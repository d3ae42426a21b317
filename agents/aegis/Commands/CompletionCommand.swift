package import ArgumentParser

package struct CompletionCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "completion", abstract: "Prints the completions for bash, zsh or fish.",
        discussion: "Example:\n  source <(aegis completion bash)")

    @Argument(help: "bash, zsh or fish.") package var shell: String

    package init() {}

    package func run() throws {
        guard let shell = CompletionShell(rawValue: shell) else {
            throw Failure(.usage, "\(shell) is not bash, zsh or fish")
        }
        Console.write(Aegis.completionScript(for: shell) + "\n")
    }
}
