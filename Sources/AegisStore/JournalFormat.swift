package import AegisCore

import struct Crypto.SHA256

/// One entry of the journal: its type and bytes that another module understands.
package struct JournalRecord: Hashable, Sendable {
    /// `slotType` for slots; every other value is the caller's.
    package let type: UInt8
    package let payload: [UInt8]

    package static let slotType: UInt8 = 0
    /// A proposal of 32 nodes is below 300 KB, a record above this a bug.
    package static let payloadBytesMax = 4 << 20

    package init(type: UInt8, payload: [UInt8]) {
        self.type = type
        self.payload = payload
    }
}

/// What a node has promised not to contradict: in this slot (for instance "Vote1 at height 7, view
/// 0") it signed this content, and these are the signed bytes.
package struct JournalSlot: Hashable, Sendable {
    package let key: [UInt8]
    package let content: Digest
    package let envelope: [UInt8]

    package init(key: [UInt8], content: Digest, envelope: [UInt8]) {
        self.key = key
        self.content = content
        self.envelope = envelope
    }

    package var record: JournalRecord {
        JournalRecord(
            type: JournalRecord.slotType,
            payload: CBOR.fields([
                1: .bytes(key), 2: .digest(content), 3: .bytes(envelope),
            ]).encoded)
    }

    /// Nil for a record of another type, or one that isn't a slot's encoding.
    package init?(_ record: JournalRecord) {
        guard record.type == JournalRecord.slotType,
            case .map(let map)? = try? CBOR.decode(
                record.payload, bytesMax: JournalRecord.payloadBytesMax),
            case .bytes(let key)? = map[1], case .bytes(let digest)? = map[2],
            case .bytes(let envelope)? = map[3], let content = Digest(digest)
        else { return nil }
        self.init(key: key, content: content, envelope: envelope)
    }
}

/// The bytes of the journal file.
///
///     header  "AEGISJ1\n" | node id 32 | journal id 16 | first 8 bytes of SHA-256 of these
///     record  length u32 | type u8 | hash of the record before 32 | head check 4 |
///             payload | check 8
///
/// The hash of a record is SHA-256 of everything in it but the checks; `check` is its first 8
/// bytes, `head check` the first 4 of SHA-256 of the 37 bytes before it. The first record follows
/// SHA-256 of the header.
enum JournalFormat {
    static let magic = Array("AEGISJ1\n".utf8)
    static let headerBytes = 8 + 32 + 16 + 8
    static let headBytes = 4 + 1 + 32 + 4
    static let checkBytes = 8

    static func header(node: NodeID, journal: [UInt8]) -> [UInt8] {
        let body = magic + node.bytes + journal
        return body + SHA256.hash(data: body).prefix(8)
    }

    static func hash(ofHeader header: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: header)) }

    /// The record's bytes, and its hash for the next one.
    static func encode(
        _ record: JournalRecord, after previous: [UInt8]
    ) -> (bytes: [UInt8], hash: [UInt8]) {
        let count = UInt32(record.payload.count)
        var bytes = (0..<4).map { UInt8(truncatingIfNeeded: count >> (8 * UInt32($0))) }
        bytes.append(record.type)
        bytes += previous
        let hash = hash(head: bytes[...], payload: record.payload[...])
        bytes += SHA256.hash(data: bytes).prefix(4)
        bytes += record.payload
        bytes += hash.prefix(checkBytes)
        return (bytes, hash)
    }

    /// A record that checks out by itself; whether it follows the one before is the caller's to
    /// compare.
    struct Parsed {
        let record: JournalRecord
        let previous: ArraySlice<UInt8>
        let hash: [UInt8]
        let byteCount: Int
    }

    static func parse(_ bytes: ArraySlice<UInt8>) -> Parsed? {
        guard let payloadBytes = payloadBytes(bytes) else { return nil }
        let head = bytes.prefix(headBytes - 4)
        let total = headBytes + payloadBytes + checkBytes
        guard bytes.count >= total else { return nil }
        let payload = bytes.dropFirst(headBytes).prefix(payloadBytes)
        let hash = hash(head: head, payload: payload)
        let check = bytes.dropFirst(headBytes + payloadBytes).prefix(checkBytes)
        guard hash.prefix(checkBytes).elementsEqual(check) else { return nil }
        return Parsed(
            record: JournalRecord(type: head[head.startIndex + 4], payload: Array(payload)),
            previous: head.dropFirst(5), hash: hash, byteCount: total)
    }

    /// The length that an intact head gives.
    static func payloadBytes(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= headBytes else { return nil }
        let count = bytes.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        guard count <= JournalRecord.payloadBytesMax else { return nil }
        let head = bytes.prefix(headBytes - 4)
        let check = bytes.dropFirst(headBytes - 4).prefix(4)
        guard SHA256.hash(data: head).prefix(4).elementsEqual(check) else { return nil }
        return count
    }

    private static func hash(head: ArraySlice<UInt8>, payload: ArraySlice<UInt8>) -> [UInt8] {
        var hash = SHA256()
        hash.update(data: head)
        hash.update(data: payload)
        return Array(hash.finalize())
    }
}

/// What a reading of the whole file finds.
struct JournalScan {
    struct Entry {
        let type: UInt8
        let payloadOffset: Int
        let payloadBytes: Int
    }

    var entries: [Entry] = []
    var slots: [[UInt8]: SafetyJournal.SlotPlace] = [:]
    /// Where the intact records end.
    var end = JournalFormat.headerBytes
    var lastHash: [UInt8]

    init(_ bytes: [UInt8]) throws(JournalError) {
        lastHash = JournalFormat.hash(ofHeader: Array(bytes.prefix(JournalFormat.headerBytes)))
        while end < bytes.count {
            guard let parsed = JournalFormat.parse(bytes[end...]),
                parsed.previous.elementsEqual(lastHash)
            else {
                guard Self.isTorn(bytes, from: end) else { throw .damaged(at: UInt64(end)) }
                return
            }
            try add(parsed.record, hash: parsed.hash, byteCount: parsed.byteCount)
        }
    }

    mutating func add(
        _ record: JournalRecord, hash: [UInt8], byteCount: Int
    ) throws(JournalError) {
        let entry = Entry(
            type: record.type, payloadOffset: end + JournalFormat.headBytes,
            payloadBytes: record.payload.count)
        if record.type == JournalRecord.slotType {
            guard let slot = JournalSlot(record), slots[slot.key] == nil else {
                throw .damaged(at: UInt64(end))
            }
            slots[slot.key] = .init(content: slot.content, entry: entries.count)
        }
        entries.append(entry)
        lastHash = hash
        end += byteCount
    }

    /// Whether the bytes from `start` look like a batch that never became durable, and so was
    /// never acted on: the file ends inside an intact head's record, or inside a head, or a sector
    /// of what is left was never written (all zero); and no record follows.
    private static func isTorn(_ bytes: [UInt8], from start: Int) -> Bool {
        let rest = bytes[start...]
        for offset in rest.indices.dropFirst() where JournalFormat.parse(bytes[offset...]) != nil {
            return false
        }
        if rest.count < JournalFormat.headBytes { return true }
        if let payloadBytes = JournalFormat.payloadBytes(rest) {
            let total = JournalFormat.headBytes + payloadBytes + JournalFormat.checkBytes
            if rest.count < total { return true }
        }
        return hasUnwrittenSector(rest)
    }

    private static func hasUnwrittenSector(_ rest: ArraySlice<UInt8>) -> Bool {
        var start = rest.startIndex
        while start < rest.endIndex {
            let end = min((start / 512 + 1) * 512, rest.endIndex)
            // A few zero bytes at a sector's edge prove nothing.
            if end - start >= 16, rest[start..<end].allSatisfy({ $0 == 0 }) { return true }
            start = end
        }
        return false
    }
}
