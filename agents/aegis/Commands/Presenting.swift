import AegisAPI
package import ArgumentParser
import Foundation

/// For commands that show something that changes.
package struct WatchOptions: ParsableArguments {
    @Flag(help: "Show it again every two seconds until Ctrl-C.")
    package var watch = false

    package init() {}
}

extension CommonOptions {
    /// Asks, and shows the answer: as JSON or YAML as it came, else as `text` has it.
    func show<Answer: Decodable>(
        watch: WatchOptions? = nil, _ ask: (AdminClient) async throws -> Data,
        as type: Answer.Type, _ text: (Answer) throws -> String
    ) async throws {
        try await withClient { client in
            let watches = watch?.watch ?? false
            if watches { Console.endCleanlyOnInterrupt() }
            var shown: String?
            repeat {
                let bytes = try await ask(client)
                let now =
                    output == .text
                    ? try text(try Self.decode(type, bytes))
                    : try Output.document(bytes, output)
                if now != shown {
                    let clears = watches && output == .text && Console.outputIsTerminal
                    Console.write((clears ? "\u{1b}[H\u{1b}[2J" : "") + now)
                    shown = now
                }
                if watches { try await ContinuousClock().sleep(for: .seconds(2)) }
            } while watches
        }
    }

    private static func decode<Answer: Decodable>(
        _ type: Answer.Type, _ bytes: Data
    ) throws -> Answer {
        do { return try AegisAPI.decode(type, from: bytes) } catch {
            throw Failure(.internalError, "the admin's answer is not understood: \(error)")
        }
    }
}

/// A name or id as one segment of a path.
enum PathSegment {
    static func of(_ text: String, _ what: String) throws(Failure) -> String {
        let plain = text.utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || "-_.:".utf8.contains($0)
        }
        guard plain, !text.isEmpty, text != ".", text != ".." else {
            throw Failure(.usage, "\(text) is not the name or id of a \(what)")
        }
        return text
    }

    static func query(_ parts: [(String, String?)]) -> String {
        let given = parts.compactMap { name, value in value.map { (name, $0) } }
        guard !given.isEmpty else { return "" }
        return "?"
            + given.map { name, value in
                name + "="
                    + (value.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")
            }.joined(separator: "&")
    }
}
