/// What a peer may ask of this node, in one place, each with its reason.
package enum Limits {
    /// A statement: a proposal that carries HaveLists of 32 nodes is below 300 KB.
    package static let statementBytesMax = 1 << 20
    /// A batch of statements in one request.
    package static let batchBytesMax = 4 << 20
    package static let batchStatementsMax = 256
    /// Depth of nested CBOR. Our statements need five levels.
    package static let cborDepthMax = 16
    /// Elements in one CBOR array or map, checked before anything is allocated.
    package static let cborElementsMax = 65_536
    /// A blob: an update of 10⁹ float32 parameters is 4 GB.
    package static let blobBytesMax: UInt64 = 4_294_967_296
    /// Direct all-to-all is what the mesh does now.
    package static let participantsMax = 32
    /// Names of participants, data sets, runs and rules.
    package static let nameBytesMax = 64
    package static let addressBytesMax = 255
    package static let roundsMax = 100_000
    package static let localStepsMax = 1_000_000
    package static let parametersMax = 1_000_000_000
}
