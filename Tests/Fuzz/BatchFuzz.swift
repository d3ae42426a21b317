import AegisCore
import AegisProtocol

/// Any bytes as the body of `POST /mesh/v1/statements`: refused, or the only encoding of its
/// statements; each of these is refused, or written again as it was.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzBatch(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    check(statement: bytes)
    guard let statements = try? StatementBatch.decode(bytes) else { return 0 }
    precondition(StatementBatch.encode(statements) == bytes, "one encoding for each batch")
    precondition(statements.count <= Limits.batchStatementsMax)
    for statement in statements { check(statement: statement) }
    return 0
}

private func check(statement bytes: [UInt8]) {
    if let statement = try? Statement(decoding: bytes) {
        precondition(statement.encoded == bytes, "one encoding for each statement")
    }
    // What a peer may put into any payload.
    _ = try? HaveList(payload: bytes)
    _ = try? Proposal(payload: bytes)
    _ = try? Vote1(payload: bytes)
    _ = try? Vote2(payload: bytes)
    _ = try? Timeout(payload: bytes)
    _ = try? UpdateStatement(payload: bytes)
    _ = try? AbstentionStatement(payload: bytes)
    _ = try? Command(payload: bytes)
    _ = try? Header(decoding: bytes)
    _ = try? Body(decoding: bytes)
    _ = try? CommitRecord(decoding: bytes)
    _ = try? TimeoutCertificate(decoding: bytes)
    _ = try? JournalRecord(decoding: bytes)
    _ = try? GenesisDocument(decoding: bytes)
    _ = try? GenesisStatement(payload: bytes)
    _ = try? FoundingStatement(payload: bytes)
    _ = try? TLSBinding(payload: bytes)
}
