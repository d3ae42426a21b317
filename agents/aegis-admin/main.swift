import Glibc

exit(await AdminProgram.run(Array(CommandLine.arguments.dropFirst())))
