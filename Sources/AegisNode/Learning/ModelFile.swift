package import AegisAggregation
package import AegisCore
import AegisCrypto
import AegisLearning
package import AegisProtocol
package import AegisStore

/// Models and updates as safetensors blobs. The bytes follow from the values alone, so that equal
/// vectors have equal digests on every node.
package enum ModelFile {
    /// The size of every update of this shape.
    package static func byteCount(of shape: ModelShape) -> UInt64 { byteCount(shape.tensors) }

    /// The size of every model of this shape, with what the server optimiser remembers.
    package static func modelByteCount(of shape: ModelShape) -> UInt64 {
        byteCount(shape.modelTensors)
    }

    private static func byteCount(_ tensors: [TensorDeclaration]) -> UInt64 {
        UInt64(Safetensors.header(tensors, metadata: metadata).count)
            + 4 * UInt64(tensors.reduce(0) { $0 + $1.count })
    }

    /// Stores an update.
    package static func store(
        _ values: [Float], shape: ModelShape, in blobs: BlobStore
    ) throws -> Digest {
        try store(values, shape.tensors, in: blobs)
    }

    /// Stores a model: parameters, then the server optimiser's state.
    package static func storeModel(
        _ values: [Float], shape: ModelShape, in blobs: BlobStore
    ) throws -> Digest {
        try store(values, shape.modelTensors, in: blobs)
    }

    private static func store(
        _ values: [Float], _ tensors: [TensorDeclaration], in blobs: BlobStore
    ) throws -> Digest {
        var writer = try blobs.writer()
        try writer.append(Safetensors.header(tensors, metadata: metadata))
        try values.withUnsafeBytes { try writer.append($0) }
        return try writer.finish()
    }

    /// What `store` would name these values.
    package static func digest(of values: [Float], shape: ModelShape) -> Digest {
        var hash = SHA256()
        hash.update(Safetensors.header(shape.tensors, metadata: metadata))
        values.withUnsafeBytes { hash.update($0) }
        return hash.finalize()
    }

    /// The parameters of a model, without what the server optimiser remembers.
    package static func parameters(
        of digest: Digest, shape: ModelShape, in blobs: BlobStore
    ) throws -> [Float] {
        let model = try model(digest, shape: shape, in: blobs)
        return model.count == shape.parameterCount
            ? model : Array(model.prefix(shape.parameterCount))
    }

    /// All values of a model.
    static func model(
        _ digest: Digest, shape: ModelShape, in blobs: BlobStore
    ) throws -> [Float] {
        let reader = try blobs.reader(digest)
        let start = try reader.withMapped { bytes in
            try contents(of: bytes, tensors: shape.modelTensors).valuesStart
        }
        let count = (Int(reader.byteCount) - start) / 4
        // Read, not copied from the map: its pages would count beside the copy.
        return try [Float](unsafeUninitializedCapacity: count) { values, initialized in
            let bytes = UnsafeMutableRawBufferPointer(
                start: values.baseAddress, count: 4 * count)
            guard try reader.read(into: bytes, at: UInt64(start)) == bytes.count else {
                throw UpdateFault.notSafetensors("it ends before its last value")
            }
            initialized = count
        }
    }

    /// Lends the values as memory of the mapped file.
    package static func withValues<Result>(
        of digest: Digest, shape: ModelShape, in blobs: BlobStore,
        _ body: (RawUpdate) throws -> Result
    ) throws -> Result {
        try blobs.withMapped(digest) { bytes in
            let contents = try contents(of: bytes, tensors: shape.tensors)
            let values = UnsafeRawBufferPointer(rebasing: bytes[contents.valuesStart...])
            guard let update = RawUpdate(values, release: MappedPages.release) else {
                throw UpdateFault.notSafetensors("its values are no whole number of floats")
            }
            return try body(update)
        }
    }

    /// Size and chunks of a blob, as an update statement names it. Nil where it isn't here.
    package static func describe(_ digest: Digest, in blobs: BlobStore) throws -> UpdateBlob? {
        guard let byteCount = blobs.byteCount(of: digest) else { return nil }
        var chunks: [Digest] = []
        if byteCount > ProtocolLimits.chunkListFrom {
            try blobs.withMapped(digest) { bytes in
                let step = Int(ProtocolLimits.chunkBytes)
                for start in stride(from: 0, to: bytes.count, by: step) {
                    let chunk = UnsafeRawBufferPointer(
                        rebasing: bytes[start..<min(start + step, bytes.count)])
                    var hash = SHA256()
                    hash.update(chunk)
                    chunks.append(hash.finalize())
                    MappedPages.release(chunk)
                }
            }
        }
        return UpdateBlob(digest: digest, byteCount: byteCount, chunks: chunks)
    }

    private static func contents(
        of bytes: UnsafeRawBufferPointer, tensors: [TensorDeclaration]
    ) throws(UpdateFault) -> Safetensors.Contents {
        let contents: Safetensors.Contents
        do { contents = try Safetensors.parse(bytes) } catch {
            throw .notSafetensors("\(error)")
        }
        guard contents.matches(tensors) else {
            let count = contents.tensors.reduce(0) { $0 + $1.declaration.count }
            let expected = tensors.reduce(0) { $0 + $1.count }
            guard count == expected else {
                throw .wrongShape(expected: expected, actual: count)
            }
            throw .notSafetensors("its tensors are not the model's")
        }
        return contents
    }

    private static let metadata: KeyValuePairs<String, String> = ["format": "pt"]
}
