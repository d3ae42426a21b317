import AegisCore
package import AegisPrivacy
package import FoundationEssentials

/// A ledger as JSON: every line as it was signed into the chain, and beside it what it says, for
/// people. Verifying reads the lines alone, and then that all the rest follows from them.
package struct LedgerExport: Codable, Hashable, Sendable {
    package struct Line: Codable, Hashable, Sendable {
        package let sequence: UInt64
        package let digest: String
        /// Canonical CBOR in hexadecimal.
        package let entry: String
        package let time: String
        package let action: String
        package var run: String?
        package var round: UInt64?
        package var attempt: UInt64?
        package var mechanism: String?
        package var samplingRate: Double?
        package var noiseMultiplier: Double?
        package var steps: Int?
        package var noise: String?
        package var delta: Double?
        package var update: String?
        package var records: String?
        package var policy: Policy?
    }

    package struct Policy: Codable, Hashable, Sendable {
        package let epsilon: Double
        package let delta: Double
        package var runEpsilon: Double?
        package var periodEpsilon: Double?
        package var periodDays: Double?
        package let noiseMultiplierMin: Double

        init(_ policy: OwnerPolicy) {
            epsilon = policy.lifetime.epsilon
            delta = policy.lifetime.delta
            runEpsilon = policy.runEpsilon
            periodEpsilon = policy.periodEpsilon
            periodDays = policy.periodDays
            noiseMultiplierMin = policy.noiseMultiplierMin
        }
    }

    package static let formatName = "aegis-privacy-ledger-1"

    package let format: String
    package let dataset: String
    package let policy: Policy
    package let epsilonSpent: Double
    package let reserved: Int
    package let released: Int
    package let lines: [Line]
    package let head: String

    /// Reads and checks the whole ledger.
    package init(
        _ dataset: String, in file: LedgerFile, anchor: LedgerAnchor? = nil
    ) throws {
        guard try LedgerBook.ledger(of: dataset, in: file, anchor: anchor) != nil else {
            throw LedgerFileError.missing(path: file.path)
        }
        try self.init(file.lines(of: dataset).map(\.entry), anchor: anchor)
    }

    private init(_ entries: [[UInt8]], anchor: LedgerAnchor?) throws(LedgerError) {
        let ledger = try PrivacyLedger(
            replaying: entries, anchor: anchor, hash: LedgerFile.digest(of:))
        format = Self.formatName
        dataset = ledger.dataset
        policy = Policy(ledger.policy)
        epsilonSpent = ledger.spent
        (reserved, released) = ledger.chargeCounts
        head = ledger.head.description
        var lines: [Line] = []
        for (index, bytes) in entries.enumerated() {
            do { lines.append(Line(bytes, try LedgerEntry(decoding: bytes))) } catch {
                throw .malformed(line: index, error)
            }
        }
        self.lines = lines
    }

    package var json: Data {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            encoder.keyEncodingStrategy = .convertToSnakeCase
            return try encoder.encode(self) + Data("\n".utf8)
        }
    }

    /// Checks an exported ledger, offline: the chain, every rule, and that what is said beside the
    /// lines is what they say.
    package static func verify(
        _ json: Data, anchor: LedgerAnchor? = nil
    ) throws -> LedgerExport {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let claimed: LedgerExport
        do { claimed = try decoder.decode(LedgerExport.self, from: json) } catch {
            throw LedgerExportError.notAnExport
        }
        guard claimed.format == formatName else { throw LedgerExportError.notAnExport }
        var entries: [[UInt8]] = []
        for (index, line) in claimed.lines.enumerated() {
            guard let bytes = Hexadecimal.decode(line.entry),
                LedgerFile.digest(of: bytes).description == line.digest
            else { throw LedgerError.edited(line: index) }
            entries.append(bytes)
        }
        let actual = try LedgerExport(entries, anchor: anchor)
        for (index, line) in actual.lines.enumerated() where claimed.lines[index] != line {
            throw LedgerError.edited(line: index)
        }
        guard actual == claimed else { throw LedgerExportError.summaryDiffers }
        return actual
    }
}

package enum LedgerExportError: Error, Hashable, Sendable, CustomStringConvertible {
    case notAnExport
    case summaryDiffers

    package var description: String {
        switch self {
        case .notAnExport: "it is no exported privacy ledger"
        case .summaryDiffers: "its summary was edited: the lines say something else"
        }
    }
}

extension LedgerExport.Line {
    fileprivate init(_ bytes: [UInt8], _ entry: LedgerEntry) {
        sequence = entry.sequence
        digest = LedgerFile.digest(of: bytes).description
        self.entry = Hexadecimal.encode(bytes)
        time = Date(timeIntervalSince1970: Double(entry.time) / 1_000)
            .formatted(.iso8601.year().month().day().time(includingFractionalSeconds: false))
        switch entry.action {
        case .opened(_, let policy):
            action = "opened"
            self.policy = .init(policy)
        case .policyChanged(let policy):
            action = "policy-changed"
            self.policy = .init(policy)
        case .reserved(let key, let attempt, let charge):
            action = "reserved"
            (run, round, self.attempt) = (Hexadecimal.encode(key.run), key.round, attempt)
            mechanism = charge.event.kind.rawValue
            samplingRate = charge.event.mechanism.samplingRate
            noiseMultiplier = charge.event.mechanism.noiseMultiplier
            steps = charge.event.steps
            noise = charge.noise.rawValue
            delta = charge.delta
        case .released(let key, let attempt, let update):
            action = "released"
            (run, round, self.attempt) = (Hexadecimal.encode(key.run), key.round, attempt)
            self.update = update.description
        case .bound(let records):
            action = "bound"
            self.records = records.description
        }
    }
}
