import AegisSimulation
import ArgumentParser

@main
struct AegisSim: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "aegis-sim",
        abstract: "Tries to break the mesh protocol.",
        discussion: """
            The same core that a node runs, on a virtual clock, network and disk. `aegis-sim seeds
            --help` shows the options that need no name of a subcommand.

            Examples:
              aegis-sim --list
              aegis-sim --seeds 0..9999 --scenario mixed
              aegis-sim --scenario all --simulations 1000000 --threads 2 --resume million.json
              aegis-sim twins --views 8 --limit 100000
              aegis-sim explore --nodes 4 --views 2
            """,
        subcommands: [SeedsCommand.self, TwinsCommand.self, ExploreCommand.self],
        defaultSubcommand: SeedsCommand.self)

    /// As it was given.
    static var sameCommand: String {
        (["aegis-sim"] + CommandLine.arguments.dropFirst()).joined(separator: " ")
    }

    /// Prints what happens, step by step; a violation ends the command.
    static func replay(_ setup: SimulationSetup) throws {
        var simulation = Simulation(setup, isRecording: true)
        let report = simulation.run()
        for line in simulation.lines { print(line) }
        print(report)
        if report.violation != nil { throw ExitCode(1) }
    }
}
