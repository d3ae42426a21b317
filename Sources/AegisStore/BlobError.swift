package import AegisCore

package enum BlobError: Error, Hashable, Sendable {
    case absent(Digest)
    case digestMismatch(expected: Digest, actual: Digest)
    /// More bytes arrived than were announced or allowed, or fewer at the end.
    case wrongSize(expected: UInt64, actual: UInt64)
    /// Another writer in this process receives the same blob.
    case alreadyBeingWritten(Digest)
    case rangeOutside(blob: Digest, byteCount: UInt64)
    case diskFull(path: String)
    case file(FileError)

    init(_ error: FileError) {
        switch error {
        case .diskFull(let path): self = .diskFull(path: path)
        case .notFound, .failed, .durabilityLost: self = .file(error)
        }
    }
}
