import AegisCore
import AegisProtocol
import AegisStore
import FoundationEssentials

/// A folder of its own in which aggregates and models are computed again, by the code that nodes
/// use. The evidence is only linked into it.
struct EvidenceWorkshop {
    let desk: AggregationDesk
    private let blobs: BlobStore
    private let path: String

    init() throws {
        path =
            FileManager.default.temporaryDirectory.path
            + "/aegis-verify-\(ProcessInfo.processInfo.globallyUniqueString)"
        blobs = try BlobStore(directory: path)
        desk = AggregationDesk(blobs: blobs)
    }

    func has(_ digest: Digest) -> Bool { blobs.contains(digest) }

    func lend(_ file: String, as digest: Digest) throws {
        guard !has(digest) else { return }
        try FileManager.default.createSymbolicLink(
            atPath: path + "/" + digest.hexadecimal,
            withDestinationPath: URL(filePath: file).absoluteURL.path)
    }

    func firstModel(of specification: RunSpecification) throws -> Digest {
        try desk.initialModel(specification).model
    }

    func forget(allBut digests: Set<Digest>) throws { try blobs.retain(only: digests) }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}
