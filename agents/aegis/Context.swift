import AegisAPI
import Foundation

/// Where the admin is and who we are: the file `context.json` that `aegis-admin init` writes.
package struct Context: Sendable, Equatable {
    package let url: String
    package let caFile: String
    package let certificateFile: String
    package let keyFile: String

    private struct File: Decodable {
        var url: String
        var ca: String
        var certificate: String
        var key: String
    }

    /// What `--context` or else AEGIS_CONTEXT names, else the context in use. A name that was
    /// remembered, or a file; paths in it are relative to it.
    package init(path: String?, environment: [String: String]) throws(Failure) {
        let book = ContextBook(environment: environment)
        let given = (path ?? environment["AEGIS_CONTEXT"]).flatMap { $0.isEmpty ? nil : $0 }
        guard let name = given ?? book.current else {
            throw Failure(
                .badContext, "no context is given",
                hint: "set AEGIS_CONTEXT or --context to the credentials/context.json that "
                    + "`aegis-admin init` wrote, or `aegis context add NAME FILE`")
        }
        try self.init(file: book.has(name) ? book.path(of: name) : name)
    }

    /// Reads a context's file.
    package init(file path: String) throws(Failure) {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw Failure(
                .badContext, "the context \(path) can't be read",
                hint: "`aegis-admin init --dir DIR` writes DIR/credentials/context.json")
        }
        let file: File
        do { file = try AegisAPI.decode(File.self, from: bytes) } catch {
            throw Failure(.badContext, "the context \(path) is not a context: \(error)")
        }
        guard file.url.hasPrefix("https://") else {
            throw Failure(.badContext, "the context \(path): url must begin with https://")
        }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        func resolve(_ name: String) -> String {
            name.hasPrefix("/") ? name : folder.appendingPathComponent(name).path
        }
        url = file.url.hasSuffix("/") ? String(file.url.dropLast()) : file.url
        caFile = resolve(file.ca)
        certificateFile = resolve(file.certificate)
        keyFile = resolve(file.key)
    }
}
