/// One act on the admin: who, what, with what, how it ended. `digest` is the SHA-256 of the
/// record's own line without its last member, `previous` the digest of the record before.
package struct AuditView: Codable, Sendable, Equatable {
    package var sequence: Int64
    package var time: String
    package var actor: String
    package var action: String
    package var parameters: String
    package var outcome: String
    package var request: String
    package var previous: String
    package var digest: String

    package init(
        sequence: Int64, time: String, actor: String, action: String, parameters: String,
        outcome: String, request: String, previous: String, digest: String
    ) {
        self.sequence = sequence
        self.time = time
        self.actor = actor
        self.action = action
        self.parameters = parameters
        self.outcome = outcome
        self.request = request
        self.previous = previous
        self.digest = digest
    }
}

/// The newest record, to be written down elsewhere: who has it can prove a later change.
package struct AuditHeadView: Codable, Sendable, Equatable {
    package var sequence: Int64
    package var digest: String
    /// The newest head that the mesh has signed.
    package var witnessed: AuditWitnessView?

    package init(sequence: Int64, digest: String, witnessed: AuditWitnessView? = nil) {
        self.sequence = sequence
        self.digest = digest
        self.witnessed = witnessed
    }
}

/// A head that the mesh has signed, and the height of the commit that has the signatures.
package struct AuditWitnessView: Codable, Sendable, Equatable {
    package var sequence: Int64
    package var digest: String
    package var height: UInt64

    package init(sequence: Int64, digest: String, height: UInt64) {
        self.sequence = sequence
        self.digest = digest
        self.height = height
    }
}

package struct AuditVerificationView: Codable, Sendable, Equatable {
    package var intact: Bool
    package var records: Int64
    package var head: String
    /// The newest head signed by the mesh that the log was compared with; absent where none is.
    package var witnessed: AuditWitnessView?
    package var fault: String?

    package init(
        intact: Bool, records: Int64, head: String, witnessed: AuditWitnessView? = nil,
        fault: String? = nil
    ) {
        self.intact = intact
        self.records = records
        self.head = head
        self.witnessed = witnessed
        self.fault = fault
    }
}

/// The line that is hashed, and the walk along a chain of them. The same text on the server, in
/// its files and offline; any SHA-256 will do.
package enum AuditLine {
    /// `{"sequence":…,…,"previous":"…"}`: everything but the digest, in this order, in one line.
    package static func body(
        sequence: Int64, time: String, actor: String, action: String, parameters: String,
        outcome: String, request: String, previous: String
    ) -> String {
        "{\"sequence\":\(sequence),\"time\":" + quoted(time) + ",\"actor\":" + quoted(actor)
            + ",\"action\":" + quoted(action) + ",\"parameters\":" + quoted(parameters)
            + ",\"outcome\":" + quoted(outcome) + ",\"request\":" + quoted(request)
            + ",\"previous\":" + quoted(previous) + "}"
    }

    package static func line(body: String, digest: String) -> String {
        String(body.dropLast()) + ",\"digest\":" + quoted(digest) + "}"
    }

    /// A line's body and the digest it claims; nil where it is no such line.
    package static func split(_ line: String) -> (body: String, digest: String)? {
        let tail = line.suffix(digestTail)
        guard line.utf8.count > digestTail, tail.hasPrefix(",\"digest\":\"sha256:"),
            tail.hasSuffix("\"}")
        else { return nil }
        let digest = tail.dropFirst(",\"digest\":\"".count).dropLast(2)
        return (String(line.dropLast(digestTail)) + "}", String(digest))
    }

    /// `,"digest":"sha256:<64 digits>"}`.
    private static let digestTail = 11 + 7 + 64 + 2

    /// A JSON string of ASCII only: no character can end the line or turn the reading direction.
    package static func quoted(_ text: String) -> String {
        var quoted = "\""
        for unit in text.utf16 {
            switch unit {
            case 0x22: quoted += "\\\""
            case 0x5c: quoted += "\\\\"
            case 0x20..<0x7f: quoted.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
            default:
                let digits = String(unit, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return quoted + "\""
    }
}

/// Walks a chain of lines from its start and stops at the first that doesn't fit.
package struct AuditChain: Sendable {
    package enum Fault: Error, Hashable, Sendable, CustomStringConvertible {
        case unreadable(afterSequence: Int64)
        case changed(sequence: Int64)
        case unchained(sequence: Int64)
        case gap(afterSequence: Int64)
        case otherHead(sequence: Int64)
        case notWhatWasWitnessed(sequence: Int64, height: UInt64)
        case shorterThanWitnessed(sequence: Int64, height: UInt64)

        package var description: String {
            switch self {
            case .unreadable(let after): "the line after record \(after) is no audit record"
            case .changed(let sequence): "record \(sequence) was changed"
            case .unchained(let sequence):
                "record \(sequence) doesn't follow the one before: one of them was replaced"
            case .gap(let after): "records are missing after \(after)"
            case .otherHead(let sequence):
                "record \(sequence) is not the head that was written down"
            case .notWhatWasWitnessed(let sequence, let height):
                "record \(sequence) is not what the mesh has signed at height \(height): it, or "
                    + "one before it, was rewritten"
            case .shorterThanWitnessed(let sequence, let height):
                "the end is missing: the mesh has signed \(sequence) records at height \(height)"
            }
        }
    }

    package static let start = "sha256:" + String(repeating: "0", count: 64)

    private let digest: @Sendable ([UInt8]) -> String
    /// Still to come, in the order of the log.
    private var witnesses: ArraySlice<AuditWitnessView>
    /// The newest of the heads signed by the mesh that the log has shown.
    package private(set) var witnessed: AuditWitnessView?
    /// Of the last record that fits.
    package private(set) var sequence: Int64 = 0
    package private(set) var head = AuditChain.start

    /// `digest` is SHA-256, spelled `sha256:…`; `witnesses` are what the mesh has signed.
    package init(
        witnesses: [AuditWitnessView] = [], digest: @escaping @Sendable ([UInt8]) -> String
    ) {
        self.witnesses = witnesses.sorted { $0.sequence < $1.sequence }[...]
        self.digest = digest
    }

    package mutating func take(_ line: String) throws(Fault) {
        guard let (body, claimed) = AuditLine.split(line),
            let record = try? AegisAPI.decode(AuditView.self, from: line.utf8)
        else { throw .unreadable(afterSequence: sequence) }
        guard record.sequence == sequence + 1 else { throw .gap(afterSequence: sequence) }
        guard digest(Array(body.utf8)) == claimed else { throw .changed(sequence: record.sequence) }
        guard record.previous == head else { throw .unchained(sequence: record.sequence) }
        while let witness = witnesses.first, witness.sequence == record.sequence {
            guard witness.digest == claimed else {
                throw .notWhatWasWitnessed(sequence: record.sequence, height: witness.height)
            }
            witnessed = witness
            witnesses.removeFirst()
        }
        sequence = record.sequence
        head = claimed
    }

    /// After the last line: whether all that the mesh has signed was there.
    package func finish() throws(Fault) {
        guard let missing = witnesses.last else { return }
        throw .shorterThanWitnessed(sequence: missing.sequence, height: missing.height)
    }
}
