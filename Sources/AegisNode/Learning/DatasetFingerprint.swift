import AegisCore
import AegisCrypto
import Glibc

extension DatasetFiles {
    /// Names the records a declaration gives, whatever it calls them: the digest of the files they
    /// come from and of the slice. A data set under a second name is known by it.
    func fingerprint(slice: SliceDeclaration?) throws -> Digest {
        var hash = SHA256()
        for path in [trainImages, trainLabels] {
            guard let file = fopen(path, "rb") else {
                throw NodeError.datasetFileMissing(path)
            }
            defer { fclose(file) }
            var part = SHA256()
            while true {
                let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
                    count = fread(buffer.baseAddress, 1, buffer.count, file)
                }
                if bytes.isEmpty { break }
                part.update(bytes)
            }
            hash.update(part.finalize().bytes)
        }
        if let slice {
            hash.update(
                Array(
                    "\(slice.index)/\(slice.count) \(slice.seed) \(slice.dirichletAlpha ?? 0)"
                        .utf8))
        }
        return hash.finalize()
    }
}
