package import AegisCore
import AegisProtocol
import AegisStore
import FoundationEssentials

/// What a node's own directory proves. The node may be running: nothing is written.
package struct NodeEvidence: EvidenceSource {
    package var keepsPartialRounds: Bool { true }

    private let directory: NodeDirectory
    private let database: NodeDatabase

    package init(_ directory: NodeDirectory) throws {
        guard FileManager.default.fileExists(atPath: directory.databasePath) else {
            throw EvidenceError.notFounded(directory.path)
        }
        self.directory = directory
        database = try NodeDatabase(path: directory.databasePath)
    }

    /// Whether `path` is the directory of a node rather than an exported folder.
    package static func isNode(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: NodeDirectory(path).databasePath)
    }

    package func genesis() throws -> EvidenceItem {
        let path = directory.path + "/" + NodeDirectory.genesisName
        guard let data = try? Data(contentsOf: URL(filePath: path)) else {
            throw EvidenceError.notFounded(directory.path)
        }
        return EvidenceItem(name: NodeDirectory.genesisName, bytes: Array(data))
    }

    package func height() throws -> UInt64 { try database.tip()?.height ?? 0 }

    package func decision(at height: UInt64) throws -> EvidenceItem? {
        try database.commit(at: height).map {
            EvidenceItem(name: "certificates/\(height).cbor", bytes: $0)
        }
    }

    package func elections(at height: UInt64) throws -> [EvidenceItem] {
        try items(.election, at: height, in: EvidenceFolder.electionsName)
    }

    package func final(at height: UInt64) throws -> EvidenceItem? {
        guard let final = try database.final(from: height), final.height == height else {
            return nil
        }
        return EvidenceItem(
            name: "\(EvidenceFolder.finalsName)/\(height).cbor", bytes: final.certificate)
    }

    /// The lowest height from this one on that was made final.
    func finalHeight(from height: UInt64) throws -> UInt64? {
        try database.final(from: height)?.height
    }

    package func updates(at height: UInt64) throws -> [EvidenceItem] {
        try items(.update, at: height, in: EvidenceFolder.updatesName)
    }

    private func items(
        _ kind: StoredEvidence.Kind, at height: UInt64, in folder: String
    ) throws -> [EvidenceItem] {
        try database.evidence(kind, at: height).map {
            EvidenceItem(name: "\(folder)/\(height)/\($0.digest.hexadecimal).cbor", bytes: $0.bytes)
        }
    }

    package func blob(_ digest: Digest) -> String? {
        let file = directory.blobsPath + "/" + digest.hexadecimal
        return FileManager.default.fileExists(atPath: file) ? file : nil
    }

    package func blobs() throws -> [Digest] {
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.blobsPath)
        return names.sorted().compactMap { Digest(text: "sha256:" + $0) }
    }

    package func model() -> String? { nil }
}
