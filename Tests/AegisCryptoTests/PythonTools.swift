import Foundation
import Testing

/// Runs `cose_interop.py`, in an environment that is made on first use and kept under `.build`.
enum PythonTools {
    struct Task: Encodable {
        struct Envelope: Encodable {
            let envelope: String
            let aad: String
        }
        struct Signing: Encodable {
            let seed: String
            let aad: String
            let payload: String
        }
        var verify: [Envelope] = []
        var sign: [Signing] = []
        var cbor: [String] = []
    }

    struct Answer: Decodable {
        let verify: [String?]
        let sign: [String]
        let cbor: [String]
    }

    static func run(_ task: Task) throws -> Answer {
        let python = try environment.get()
        let output = try call(python, [script, "run"], input: JSONEncoder().encode(task))
        return try JSONDecoder().decode(Answer.self, from: output)
    }

    static func torsion() throws -> [String] {
        try JSONDecoder().decode(
            [String].self, from: try call("/usr/bin/env", ["python3", script, "torsion"]))
    }

    private struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private static let here = URL(filePath: #filePath).deletingLastPathComponent()
    private static let script = here.appending(path: "cose_interop.py").path

    private static let environment = Result<String, any Error> {
        let directory = here.deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: ".build/python-cose").path
        do {
            _ = try call("/usr/bin/env", ["python3", script, "install", directory])
        } catch {
            throw Failure(
                description: """
                    pycose and cbor2 are needed for a second opinion on envelopes and could not be \
                    installed (\(error)). With access to PyPI and python3-venv installed, run: \
                    python3 Tests/AegisCryptoTests/cose_interop.py install .build/python-cose
                    """)
        }
        return directory + "/bin/python"
    }

    private static func call(
        _ program: String, _ arguments: [String], input: Data = Data()
    ) throws -> Data {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        let (standardInput, standardOutput) = (Pipe(), Pipe())
        process.standardInput = standardInput
        process.standardOutput = standardOutput
        try process.run()
        try standardInput.fileHandleForWriting.write(contentsOf: input)
        try standardInput.fileHandleForWriting.close()
        let output = try standardOutput.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(description: "\(program) ended with \(process.terminationStatus)")
        }
        return output
    }
}
