package import AegisCore
import FoundationEssentials

/// Bytes, and the file or record they came from.
package struct EvidenceItem: Hashable, Sendable {
    package let name: String
    package let bytes: [UInt8]
}

/// Where the evidence of a mesh is read from: a folder that somebody exported, or a node's own.
/// Nothing that it gives is trusted.
package protocol EvidenceSource {
    /// Whether a round may have some of its updates only: a node that was out-voted before it had
    /// all of them keeps those that it had. Who exports leaves such a round out.
    var keepsPartialRounds: Bool { get }
    /// The signed founding and first roster.
    func genesis() throws -> EvidenceItem
    /// Of the last decision there is.
    func height() throws -> UInt64
    /// Nil where it is missing.
    func decision(at height: UInt64) throws -> EvidenceItem?
    func elections(at height: UInt64) throws -> [EvidenceItem]
    /// What makes this height final, where it is here.
    func final(at height: UInt64) throws -> EvidenceItem?
    func updates(at height: UInt64) throws -> [EvidenceItem]
    /// The file that should have this digest, where there is one.
    func blob(_ digest: Digest) -> String?
    /// Every file that is named by a digest.
    func blobs() throws -> [Digest]
    /// A model that was exported under a name of its own.
    func model() -> String?
}

/// A folder as `aegis-node evidence`, `aegis run export` or the admin's evidence archive makes it.
package struct EvidenceFolder: EvidenceSource {
    package static let genesisName = "genesis.cbor"
    package static let decisionsName = "certificates"
    package static let electionsName = "elections"
    package static let updatesName = "updates"
    package static let finalsName = "final"
    package static let blobsName = "blobs"
    package static let modelName = "model.safetensors"
    package static let blobSuffix = ".safetensors"

    /// No single file but a model or an update is larger.
    private static let fileBytesMax = 64 << 20

    package var keepsPartialRounds: Bool { false }

    private let path: String
    private let heights: [UInt64]

    package init(_ path: String) throws(EvidenceError) {
        self.path = path
        var isDirectory = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory
        else { throw .notAFolder(path) }
        guard FileManager.default.fileExists(atPath: path + "/" + Self.genesisName) else {
            throw .notEvidence(path)
        }
        heights = Self.names(in: path + "/" + Self.decisionsName).compactMap { name in
            guard name.hasSuffix(".cbor"), let height = UInt64(name.dropLast(5)), height > 0,
                "\(height).cbor" == name
            else { return nil }
            return height
        }.sorted()
    }

    private static func names(in folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }

    private func read(_ name: String) throws -> EvidenceItem? {
        let file = path + "/" + name
        guard FileManager.default.fileExists(atPath: file) else { return nil }
        let data = try Data(contentsOf: URL(filePath: file))
        guard data.count <= Self.fileBytesMax else { throw EvidenceError.tooLarge(name) }
        return EvidenceItem(name: name, bytes: Array(data))
    }

    private func items(in folder: String) throws -> [EvidenceItem] {
        try Self.names(in: path + "/" + folder).filter { $0.hasSuffix(".cbor") }
            .compactMap { try read(folder + "/" + $0) }
    }

    package func genesis() throws -> EvidenceItem {
        guard let item = try read(Self.genesisName) else { throw EvidenceError.notEvidence(path) }
        return item
    }

    package func height() -> UInt64 { heights.last ?? 0 }

    package func decision(at height: UInt64) throws -> EvidenceItem? {
        try read("\(Self.decisionsName)/\(height).cbor")
    }

    package func elections(at height: UInt64) throws -> [EvidenceItem] {
        try items(in: "\(Self.electionsName)/\(height)")
    }

    package func final(at height: UInt64) throws -> EvidenceItem? {
        try read("\(Self.finalsName)/\(height).cbor")
    }

    package func updates(at height: UInt64) throws -> [EvidenceItem] {
        try items(in: "\(Self.updatesName)/\(height)")
    }

    package func blob(_ digest: Digest) -> String? {
        let file = "\(path)/\(Self.blobsName)/\(digest.hexadecimal)\(Self.blobSuffix)"
        return FileManager.default.fileExists(atPath: file) ? file : nil
    }

    package func blobs() -> [Digest] {
        Self.names(in: path + "/" + Self.blobsName).compactMap { name in
            guard name.hasSuffix(Self.blobSuffix) else { return nil }
            return Digest(text: "sha256:" + name.dropLast(Self.blobSuffix.count))
        }
    }

    package func model() -> String? {
        let file = path + "/" + Self.modelName
        return FileManager.default.fileExists(atPath: file) ? file : nil
    }
}

/// Why there is nothing to verify.
package enum EvidenceError: Error, Hashable, Sendable, CustomStringConvertible {
    case notAFolder(String)
    case notEvidence(String)
    case tooLarge(String)
    /// The mesh of this node is not founded yet.
    case notFounded(String)
    case noSuchRun(String)
    case exists(String)

    package var description: String {
        switch self {
        case .notAFolder(let path): "\(path) is no folder"
        case .notEvidence(let path): "\(path) holds no evidence: it has no genesis.cbor"
        case .tooLarge(let name): "\(name) is larger than any record of a mesh"
        case .notFounded(let path): "\(path) is of a mesh that is not founded yet"
        case .noSuchRun(let run): "no decision starts a run \(run)"
        case .exists(let path): "\(path) is there already and not empty"
        }
    }
}
