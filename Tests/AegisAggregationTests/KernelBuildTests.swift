import Foundation
import Testing

@Suite("One kernel source, many builds")
struct KernelBuildTests {
    struct Build: CustomTestStringConvertible {
        let compiler: String
        let flags: [String]
        var testDescription: String { ([compiler] + flags).joined(separator: " ") }
    }

    #if arch(x86_64)
        private static let wide = ["-march=x86-64-v3"]
    #else
        private static let wide: [String] = []
    #endif
    static let builds: [Build] = [
        Build(compiler: "clang", flags: ["-O0"]),
        Build(compiler: "clang", flags: ["-O3"] + wide),
        Build(compiler: "gcc", flags: ["-O2"]),
    ]

    @Test("the same bits at every level of every build")
    func bits() throws {
        let expected = try #require(try lines(of: Build(compiler: "clang", flags: ["-O2"])).first)
        var run = 0
        for build in Self.builds {
            guard let lines = try? lines(of: build) else { continue }
            #expect(!lines.isEmpty)
            for line in lines { #expect(line == expected, "\(build.testDescription)") }
            run += 1
        }
        // Not every machine has every compiler, and not every processor runs every build.
        #expect(run >= 2)
    }

    /// Compiles the fixture with the kernels and runs it.
    private func lines(of build: Build) throws -> [String] {
        let here = URL(filePath: #filePath).deletingLastPathComponent()
        let sources = here.deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Sources/CAggregation")
        let program = FileManager.default.temporaryDirectory
            .appending(path: "aegis-kernel-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: program) }
        _ = try run(
            [build.compiler] + build.flags + [
                "-ffp-contract=off", "-w", "-I", sources.appending(path: "include").path,
                here.appending(path: "Fixtures/kernel_bits.c").path,
                sources.appending(path: "kernels.c").path, "-o", program.path,
            ])
        return try run([program.path]).split(separator: "\n").map(String.init)
    }

    private func run(_ command: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.featureUnsupported) }
        return String(decoding: data, as: UTF8.self)
    }
}
