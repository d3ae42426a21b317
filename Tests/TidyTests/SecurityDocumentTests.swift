import Foundation
import Testing

@Suite("The threat model names tests that exist")
struct SecurityDocumentTests {
    /// `path`: "words": the file has the words.
    @Test("each named test is in its file")
    func citations() throws {
        let document = try #require(Project.files.first { $0.path == "docs/SECURITY.md" })
        let citation = /`((?:Tests|simulations)\/[^`]+)`: "([^"]+)"/
        let text = document.lines.joined(separator: "\n")
        let cited = text.matches(of: citation).map { (String($0.1), String($0.2)) }
        #expect(cited.count >= 30, "\(cited.count) citations were recognised")
        for (path, words) in cited {
            guard let file = Project.files.first(where: { $0.path == path }) else {
                Issue.record("there is no \(path)")
                continue
            }
            #expect(
                file.lines.joined(separator: "\n").contains(words), "\(path) has no \"\(words)\"")
        }
    }
}
