import Glibc

do {
    try AttackTable(Array(CommandLine.arguments.dropFirst())).run()
} catch {
    Stream.writeError("attacks: error: \(error)\n")
    exit(1)
}
