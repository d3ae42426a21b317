import AegisCore
import AegisCrypto
package import AegisIdentity
package import AegisProtocol

/// A node's directory: its identity, its configuration, and all it remembers.
package struct NodeDirectory: Sendable {
    package let path: String

    package static let configurationName = "node.yaml"
    package static let genesisName = "genesis.cbor"

    package init(_ path: String) { self.path = path }

    package var journalPath: String { path + "/journal" }
    package var databasePath: String { path + "/node.sqlite" }
    package var blobsPath: String { path + "/blobs" }

    /// The file of the privacy ledgers: the node's own, or where its owner wants it.
    package func ledgerPath(_ configuration: NodeConfiguration) -> String {
        let chosen = configuration.ledger ?? "ledger.sqlite"
        return chosen.hasPrefix("/") ? chosen : path + "/" + chosen
    }

    package func identityDirectory() throws(NodeError) -> IdentityDirectory {
        do { return try IdentityDirectory.open(at: path) } catch .notFound {
            throw .notJoined(path)
        } catch {
            throw .directory(error)
        }
    }

    package func configuration() throws -> NodeConfiguration {
        let bytes = try identityDirectory().read(Self.configurationName)
        return try NodeConfiguration(yaml: String(decoding: bytes, as: UTF8.self))
    }

    /// Adds to `node.yaml`. Refuses a name that is there already: a budget is not replaced in
    /// passing.
    package func addDataset(_ declaration: DatasetDeclaration) throws {
        guard declaration.faults.isEmpty else {
            throw NodeError.dataset(
                declaration.name, reason: declaration.faults.joined(separator: "; "))
        }
        var configuration = try configuration()
        guard !configuration.datasets.contains(where: { $0.name == declaration.name }) else {
            throw NodeError.datasetExists(declaration.name)
        }
        try DatasetSource(declaration.source).check()
        configuration.datasets.append(declaration)
        let yaml = try configuration.yaml
        try identityDirectory().write(Self.configurationName, Array(yaml.utf8))
    }

    package func joinRecord() throws -> JoinRecord {
        try JoinRecord(decoding: try identityDirectory().read(IdentityDirectory.joinRecordName))
    }

    package func founding() throws -> SignedFounding {
        try SignedFounding(
            verifying: try identityDirectory().read(IdentityDirectory.foundingName))
    }

    /// The verified genesis, nil before the founding is closed.
    package func genesis(of founding: SignedFounding) throws -> Genesis? {
        let directory = try identityDirectory()
        guard directory.has(Self.genesisName) else { return nil }
        let document = try GenesisDocument(decoding: try directory.read(Self.genesisName))
        return try GenesisVerifier().verify(document, pinned: founding.digest)
    }

    /// As it was verified when it was saved.
    func genesisBytes() throws -> [UInt8] { try identityDirectory().read(Self.genesisName) }

    package func saveGenesis(_ document: GenesisDocument) throws {
        try identityDirectory().write(Self.genesisName, document.encoded)
    }
}
