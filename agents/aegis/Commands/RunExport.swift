import AegisAPI
import AegisReport
package import ArgumentParser
import Crypto
import Foundation
import Glibc

package struct RunExport: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes a run's results to a folder.",
        discussion: """
            run.json, metrics.csv, accuracy.svg, model.safetensors (checked against the digest the \
            mesh committed), certificates/<height>.cbor, final/<height>.cbor and genesis.cbor.

            A model is a result once it is final: co-signed by so many that it can't be another. \
            That follows the commit within a moment where all participants answer. With \
            --provisional one that is only committed is written, too.

            Example:
              aegis run export demo --to results
            """)

    @Argument(help: "The run's name or id.")
    package var run: String

    @Option(help: "The folder; made where it isn't there.", completion: .directory)
    package var to: String

    @Flag(help: "Take a model that is committed and not final yet.")
    package var provisional = false

    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        let path = try RunCommand.path(run)
        try await common.withClient { client in
            var run = try await client.send(.get(path), as: RunView.self)
            let folder = try ExportFolder(path: to)
            // While the run goes on there is soon another model, and there are more records.
            if let model = run.model {
                try await folder.receive(
                    "model.safetensors", digest: model, from: client,
                    .get(path + "/model" + (provisional ? "?provisional=true" : "")))
                // The model was waited for until it was final.
                run.final = try await client.send(.get(path), as: RunView.self).final
                try await folder.writeFinal(client, path: path)
            }
            let rounds = try AegisAPI.decode(
                Items<RoundView>.self, from: try await client.sendAll(path + "/rounds")
            ).items
            try folder.write(Array(RunResults.csv(rounds).utf8), to: "metrics.csv")
            try folder.write(
                Array(RunResults.accuracyChart(run, rounds).svg.utf8), to: "accuracy.svg")
            try await Self.certificates(client, path: path, folder: folder)
            try folder.write(
                Array(try await client.send(.get("/mesh/genesis"))), to: "genesis.cbor")
            try folder.write(Array(try AegisAPI.encode(run, pretty: true)) + [10], to: "run.json")
            switch common.output {
            case .text:
                Console.write("run \(run.name) written to \(to)\n")
                if run.model != nil {
                    Console.write(
                        "the model is \(run.final?.words ?? FinalityView.committed)\n")
                }
            case .json, .yaml:
                Console.write(
                    try Output.document(
                        try AegisAPI.encodeDocument(
                            .object([
                                "folder": .text(to),
                                "files": .array(
                                    try folder.files().map { .text($0) }),
                            ])), common.output))
            }
        }
    }

    private static func certificates(
        _ client: AdminClient, path: String, folder: ExportFolder
    ) async throws {
        let list = try AegisAPI.decode(
            Items<CertificateView>.self, from: try await client.sendAll(path + "/certificates"))
        try folder.write(list.items)
    }
}

/// The folder a run, or what the mesh has signed, is written to.
struct ExportFolder {
    private let folder: URL

    init(path: String) throws(Failure) {
        folder = URL(fileURLWithPath: path)
        do {
            try FileManager.default.createDirectory(
                at: folder.appendingPathComponent("certificates"),
                withIntermediateDirectories: true)
            try FileManager.default.createDirectory(
                at: folder.appendingPathComponent("final"), withIntermediateDirectories: true)
        } catch {
            throw Failure(.cannotWrite, "\(path) can't be made: \(error.localizedDescription)")
        }
    }

    func write(_ bytes: [UInt8], to name: String) throws(Failure) {
        do {
            try Data(bytes).write(to: folder.appendingPathComponent(name), options: .atomic)
        } catch {
            throw Failure(.cannotWrite, "\(name) can't be written: \(error.localizedDescription)")
        }
    }

    func write(_ certificates: [CertificateView]) throws(Failure) {
        for certificate in certificates {
            guard let bytes = Data(base64Encoded: certificate.bytes) else {
                throw Failure(
                    .internalError, "certificate \(certificate.height) is not in base64")
            }
            try write(Array(bytes), to: "certificates/\(certificate.height).cbor")
        }
    }

    /// What makes the run's last commit final, where that is so.
    func writeFinal(_ client: AdminClient, path: String) async throws {
        let certificate: CertificateView
        do {
            certificate = try await client.send(.get(path + "/final"), as: CertificateView.self)
        } catch let failure as Failure where failure.code == .invalidInput {
            // It isn't.
            return
        }
        guard let bytes = Data(base64Encoded: certificate.bytes) else {
            throw Failure(.internalError, "the final certificate is not in base64")
        }
        try write(Array(bytes), to: "final/\(certificate.height).cbor")
    }

    func files() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted()
    }

    /// Streams the answer to a file beside `name`, which takes its place only with the right
    /// digest.
    func receive(
        _ name: String, digest: String, from client: AdminClient, _ request: APIRequest
    ) async throws {
        let final = folder.appendingPathComponent(name).path
        let partial = final + ".partial"
        let descriptor = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw Failure(.cannotWrite, "\(name) can't be written: errno \(errno)")
        }
        defer {
            close(descriptor)
            unlink(partial)
        }
        var hash = SHA256()
        try await client.stream(request) { chunk in
            let bytes = Array(chunk)
            hash.update(data: bytes)
            try Self.writeAll(bytes, to: descriptor, name: name)
        }
        let found =
            "sha256:"
            + hash.finalize().map { byte in
                (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }.joined()
        guard found == digest else {
            throw Failure(
                .failure, "\(name) is \(found), but the mesh committed \(digest)",
                hint: "the file was not kept; try again")
        }
        guard rename(partial, final) == 0 else {
            throw Failure(.cannotWrite, "\(name) can't be written: errno \(errno)")
        }
    }

    private static func writeAll(
        _ bytes: [UInt8], to descriptor: Int32, name: String
    ) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else {
                throw Failure(.cannotWrite, "\(name) can't be written: errno \(errno)")
            }
            rest = rest.dropFirst(written)
        }
    }
}
