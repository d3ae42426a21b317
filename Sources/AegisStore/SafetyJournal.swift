package import AegisCore
import Glibc
import Synchronization

/// Why the journal can't vouch for what this node has signed. After any of these but
/// `slotTaken` and `recordTooLarge` the node must not sign.
package enum JournalError: Error, Hashable, Sendable {
    /// There is no journal at this path. Made only together with an identity, never silently.
    case missing(path: String)
    case alreadyExists(path: String)
    case foreign(NodeID, expected: NodeID)
    /// Damage that is not a torn tail, at this offset.
    case damaged(at: UInt64)
    /// Something else was signed in this slot already.
    case slotTaken(slot: [UInt8], by: Digest)
    case recordTooLarge(byteCount: Int)
    /// A write or a flush failed, now or earlier: nobody knows what is on the disk.
    case durabilityLost(FileError)
    case file(FileError)
}

/// The one append-only file through which every signature goes (PROTOCOL.md §2.11, R12): what is
/// to be signed is on the disk first, a slot takes one content for ever, and the same content
/// gives the recorded bytes again. One write and one `fdatasync` for each batch.
package final class SafetyJournal: Sendable {
    /// Where a slot's record is, and what it decided.
    struct SlotPlace {
        let content: Digest
        let entry: Int
    }

    private struct State: ~Copyable {
        var file: OpenFile
        var scan: JournalScan
        var lost: FileError?
    }

    package let node: NodeID
    /// 16 random bytes chosen at creation, so that two journals of one node can be told apart.
    package let id: [UInt8]
    /// Bytes of an unfinished batch that opening cut off.
    package let tornBytes: Int
    private let path: String
    private let state: Mutex<State>

    /// Makes the journal of a new identity.
    package static func create(at path: String, node: NodeID) throws(JournalError) -> SafetyJournal
    {
        var generator = SystemRandomNumberGenerator()
        let id = (0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) }
        do {
            let file = try OpenFile(path, flags: O_WRONLY | O_CREAT | O_EXCL)
            try file.write(JournalFormat.header(node: node, journal: id))
            try file.flush()
            try Directory.flush(Directory.parent(of: path))
        } catch .failed(.open, _, errno: EEXIST) {
            throw .alreadyExists(path: path)
        } catch { throw .file(error) }
        return try SafetyJournal(opening: path, node: node)
    }

    /// Opens the journal of `node`, cuts off a torn tail, refuses any other damage.
    package init(opening path: String, node: NodeID) throws(JournalError) {
        self.path = path
        self.node = node
        do {
            let file = try OpenFile(path, flags: O_RDWR | O_APPEND)
            let bytes = try file.read(at: 0, count: Int(clamping: try file.byteCount))
            id = try Self.identify(bytes, node: node)
            let scan = try JournalScan(bytes)
            tornBytes = bytes.count - scan.end
            if tornBytes > 0 {
                try file.truncate(to: UInt64(scan.end))
                try file.flush()
            }
            state = Mutex(State(file: file, scan: scan, lost: nil))
        } catch let error as JournalError {
            throw error
        } catch FileError.notFound {
            throw .missing(path: path)
        } catch let error as FileError {
            throw .file(error)
        } catch { preconditionFailure("no other error is thrown") }
    }

    private static func identify(_ bytes: [UInt8], node: NodeID) throws(JournalError) -> [UInt8] {
        guard bytes.count >= JournalFormat.headerBytes,
            let found = NodeID(bytes[8..<40])
        else { throw .damaged(at: 0) }
        let id = Array(bytes[40..<56])
        guard bytes.starts(with: JournalFormat.header(node: found, journal: id)) else {
            throw .damaged(at: 0)
        }
        guard found == node else { throw .foreign(found, expected: node) }
        return id
    }

    /// The bytes signed for this slot, nil where it is free. Asked before a signature is made.
    package func recorded(
        slot key: [UInt8], content: Digest
    ) throws(JournalError) -> [UInt8]? {
        try withState { (state) throws(JournalError) in
            guard let place = state.scan.slots[key] else { return nil }
            return try Self.envelope(at: place, key: key, content: content, in: state)
        }
    }

    /// Records that `envelope` is what this node says in this slot, durably. Returns the bytes to
    /// send: `envelope`, or what was recorded for the same content before.
    package func record(
        slot key: [UInt8], content: Digest, envelope: [UInt8]
    ) throws(JournalError) -> [UInt8] {
        try commit(slots: [JournalSlot(key: key, content: content, envelope: envelope)])[0]
    }

    /// Appends records that are no slots, durably.
    package func append(_ records: [JournalRecord]) throws(JournalError) {
        precondition(
            records.allSatisfy { $0.type != JournalRecord.slotType }, "a slot needs `record`")
        _ = try commit(slots: [], records: records)
    }

    /// All or nothing with one flush: `records` (what a vote relies on) before `slots`. Returns the
    /// bytes to send for each slot.
    package func commit(
        slots: [JournalSlot], records: [JournalRecord] = []
    ) throws(JournalError) -> [[UInt8]] {
        try withState { (state) throws(JournalError) in
            var envelopes: [[UInt8]] = []
            var fresh: [JournalSlot] = []
            for slot in slots {
                if let place = state.scan.slots[slot.key] {
                    envelopes.append(
                        try Self.envelope(
                            at: place, key: slot.key, content: slot.content, in: state))
                } else if let earlier = fresh.first(where: { $0.key == slot.key }) {
                    guard earlier.content == slot.content else {
                        throw .slotTaken(slot: slot.key, by: earlier.content)
                    }
                    envelopes.append(earlier.envelope)
                } else {
                    fresh.append(slot)
                    envelopes.append(slot.envelope)
                }
            }
            try Self.append(records + fresh.map(\.record), to: &state)
            return envelopes
        }
    }

    /// All records in the order they were written.
    package func load() throws(JournalError) -> [JournalRecord] {
        try withState { (state) throws(JournalError) in
            var records: [JournalRecord] = []
            for entry in state.scan.entries {
                records.append(try Self.record(entry, in: state))
            }
            return records
        }
    }

    package var byteCount: Int { state.withLock { $0.scan.end } }

    /// Writes a new file with the records that `isNeeded` still wants and puts it in this one's
    /// place. A dropped slot is free again: drop only what a durable commit has closed for good.
    package func compact(
        keeping isNeeded: (JournalRecord) -> Bool
    ) throws(JournalError) {
        try withState { (state) throws(JournalError) in
            var bytes = JournalFormat.header(node: node, journal: id)
            var hash = JournalFormat.hash(ofHeader: bytes)
            for entry in state.scan.entries {
                let record = try Self.record(entry, in: state)
                guard isNeeded(record) else { continue }
                let encoded = JournalFormat.encode(record, after: hash)
                bytes += encoded.bytes
                hash = encoded.hash
            }
            let scan = try JournalScan(bytes)
            do throws(FileError) {
                try Self.replace(path, with: bytes)
                state.file = try OpenFile(path, flags: O_RDWR | O_APPEND)
                state.scan = scan
            } catch {
                state.lost = error
                throw .durabilityLost(error)
            }
        }
    }

    private static func replace(_ path: String, with bytes: [UInt8]) throws(FileError) {
        let file = try OpenFile(path + ".new", flags: O_WRONLY | O_CREAT | O_TRUNC)
        try file.write(bytes)
        try file.flush()
        try Directory.rename(path + ".new", to: path)
    }

    private static func append(
        _ records: [JournalRecord], to state: inout State
    ) throws(JournalError) {
        guard !records.isEmpty else { return }
        if let large = records.first(where: {
            $0.payload.count > JournalRecord.payloadBytesMax
        }) {
            throw .recordTooLarge(byteCount: large.payload.count)
        }
        var bytes: [UInt8] = []
        var added: [(record: JournalRecord, hash: [UInt8], byteCount: Int)] = []
        for record in records {
            let previous = added.last?.hash ?? state.scan.lastHash
            let encoded = JournalFormat.encode(record, after: previous)
            bytes += encoded.bytes
            added.append((record, encoded.hash, encoded.bytes.count))
        }
        do {
            try state.file.write(bytes)
            try state.file.flush()
        } catch {
            state.lost = error
            throw .durabilityLost(error)
        }
        for each in added {
            try state.scan.add(each.record, hash: each.hash, byteCount: each.byteCount)
        }
    }

    private static func envelope(
        at place: SlotPlace, key: [UInt8], content: Digest, in state: borrowing State
    ) throws(JournalError) -> [UInt8] {
        guard place.content == content else { throw .slotTaken(slot: key, by: place.content) }
        let entry = state.scan.entries[place.entry]
        guard let slot = JournalSlot(try record(entry, in: state)) else {
            throw .damaged(at: UInt64(entry.payloadOffset))
        }
        return slot.envelope
    }

    private static func record(
        _ entry: JournalScan.Entry, in state: borrowing State
    ) throws(JournalError) -> JournalRecord {
        do {
            let payload = try state.file.read(
                at: UInt64(entry.payloadOffset), count: entry.payloadBytes)
            guard payload.count == entry.payloadBytes else {
                throw JournalError.damaged(at: UInt64(entry.payloadOffset))
            }
            return JournalRecord(type: entry.type, payload: payload)
        } catch let error as JournalError {
            throw error
        } catch let error as FileError {
            throw .file(error)
        } catch { preconditionFailure("no other error is thrown") }
    }

    private func withState<R>(
        _ body: (inout State) throws(JournalError) -> sending R
    ) throws(JournalError) -> sending R {
        try state.withLock { (state) throws(JournalError) in
            if let lost = state.lost { throw .durabilityLost(lost) }
            return try body(&state)
        }
    }
}
