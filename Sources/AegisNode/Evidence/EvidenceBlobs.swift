import AegisCore
import AegisCrypto
import FoundationEssentials

/// The files that are named by a digest: each is hashed once.
struct EvidenceBlobs {
    private let source: any EvidenceSource
    private var verified: Set<Digest> = []

    init(_ source: any EvidenceSource) { self.source = source }

    var count: Int { verified.count }

    mutating func verify(_ digest: Digest) throws {
        guard !verified.contains(digest), let path = source.blob(digest) else { return }
        let actual = try Self.digest(of: path)
        guard actual == digest else {
            throw EvidenceFault(
                place: "blobs/\(digest.hexadecimal).safetensors",
                reason: "its content has the digest \(actual)")
        }
        verified.insert(digest)
    }

    /// Those that no round has asked for.
    mutating func verifyRest() throws {
        for digest in try source.blobs() { try verify(digest) }
    }

    static func digest(of path: String) throws -> Digest {
        let data = try Data(contentsOf: URL(filePath: path), options: .mappedIfSafe)
        var hash = SHA256()
        data.withUnsafeBytes { hash.update($0) }
        return hash.finalize()
    }
}
