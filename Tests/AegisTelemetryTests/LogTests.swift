import AegisTelemetry
import FoundationEssentials
import Logging
import Synchronization
import Testing

@Suite("Logs") struct LogTests {
    private final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        var sink: LogSink { LogSink { line in self.lines.withLock { $0.append(line) } } }
        var all: [String] { lines.withLock { $0 } }
    }

    private func logger(_ style: LogStyle, _ lines: Lines) -> Logger {
        Logger(label: "test") { label in
            AegisLogHandler(label: label, level: .info, style: style, sink: lines.sink)
        }
    }

    @Test("a JSON line is one object that any reader takes")
    func json() throws {
        let lines = Lines()
        logger(.json, lines).notice(
            "it said \"no\"\nand \u{7}left", metadata: ["peer": "north", "msg": "mine"])
        let line = try #require(lines.all.first)
        #expect(line.hasSuffix("}\n"))
        #expect(line.dropLast().contains("\n") == false)
        let object = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
        #expect(object["level"] == "notice")
        #expect(object["msg"] == "it said \"no\"\nand \u{7}left")
        #expect(object["_msg"] == "mine")
        #expect(object["peer"] == "north")
        #expect(object["ts"]?.hasSuffix("Z") == true)
    }

    @Test("a secret is not written, whoever logs it")
    func redaction() {
        let lines = Lines()
        for style in LogStyle.allCases {
            logger(style, lines).error(
                "failed: aegisjoin1_abc234, and aegisjoin1_zz.",
                metadata: ["token": "aegisjoin1_x", "Passphrase": "open sesame"])
        }
        for line in lines.all {
            #expect(!line.contains("abc234"))
            #expect(!line.contains("zz."))
            #expect(!line.contains("sesame"))
            #expect(line.contains("aegisjoin1_[redacted], and aegisjoin1_[redacted]."))
        }
    }

    @Test("text can't draw on a terminal")
    func controlCharacters() throws {
        let lines = Lines()
        logger(.text, lines).info("hello", metadata: ["name": "\u{1b}[2Jx"])
        let line = try #require(lines.all.first)
        #expect(!line.contains("\u{1b}"))
        #expect(line.hasSuffix(" info     hello name=\"\\u001b[2Jx\"\n"))
    }

    @Test("levels below the threshold are silent")
    func levels() {
        let lines = Lines()
        logger(.json, lines).debug("quiet")
        #expect(lines.all.isEmpty)
    }

    @Test(
        "timestamps are RFC 3339 in UTC",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (4_107_542_400_001, "2100-03-01T00:00:00.001Z"),
        ] as [(UInt64, String)])
    func timestamps(milliseconds: UInt64, text: String) {
        #expect(Timestamp.text(milliseconds) == text)
    }
}
