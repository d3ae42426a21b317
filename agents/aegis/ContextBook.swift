import AegisAPI
import Foundation

/// The contexts by name, as files in the user's configuration folder.
package struct ContextBook: Sendable {
    private let folder: String

    package init(environment: [String: String]) {
        let base =
            environment["XDG_CONFIG_HOME"].flatMap { $0.isEmpty ? nil : $0 }
            ?? (environment["HOME"] ?? ".") + "/.config"
        folder = base + "/aegis"
    }

    private var currentFile: String { folder + "/current" }

    package func path(of name: String) -> String { folder + "/contexts/" + name + ".json" }

    package var names: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder + "/contexts")) ?? [])
            .filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
    }

    package var current: String? {
        FileManager.default.contents(atPath: currentFile)
            .map { String(decoding: $0, as: UTF8.self) }
            .map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
    }

    package func has(_ name: String) -> Bool {
        isName(name) && FileManager.default.fileExists(atPath: path(of: name))
    }

    package func use(_ name: String) throws(Failure) {
        guard has(name) else {
            throw Failure(
                .notFound, "there is no context \(name)", hint: "see `aegis context list`")
        }
        try write(Data((name + "\n").utf8), to: currentFile)
    }

    /// Paths in it are made whole, so that it can be used from anywhere.
    package func add(_ name: String, file: String) throws(Failure) {
        guard isName(name) else {
            throw Failure(
                .usage, "\(name) can't be a context's name", hint: "use a-z, 0-9, - and _")
        }
        let context = try Context(file: file)
        func whole(_ path: String) -> JSONValue {
            .text(URL(fileURLWithPath: path).standardizedFileURL.path)
        }
        let document: JSONValue = .object([
            "url": .text(context.url), "ca": whole(context.caFile),
            "certificate": whole(context.certificateFile), "key": whole(context.keyFile),
        ])
        guard let bytes = try? AegisAPI.encodeDocument(document) else {
            throw Failure(.internalError, "the context can't be encoded")
        }
        try write(bytes, to: path(of: name))
        if current == nil { try use(name) }
    }

    package func delete(_ name: String) throws(Failure) {
        guard has(name) else { throw Failure(.notFound, "there is no context \(name)") }
        do {
            try FileManager.default.removeItem(atPath: path(of: name))
            if current == name { try FileManager.default.removeItem(atPath: currentFile) }
        } catch { throw Failure(.cannotWrite, "\(name) can't be deleted: \(error)") }
    }

    private func isName(_ name: String) -> Bool {
        !name.isEmpty && !name.hasPrefix(".")
            && name.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || "-_.".utf8.contains($0)
            }
    }

    private func write(_ bytes: Data, to path: String) throws(Failure) {
        let url = URL(fileURLWithPath: path)
        do {
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            try bytes.write(to: url, options: .atomic)
        } catch { throw Failure(.cannotWrite, "\(path) can't be written: \(error)") }
    }
}
