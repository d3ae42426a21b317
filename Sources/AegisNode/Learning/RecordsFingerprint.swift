import AegisCore
import AegisCrypto
import AegisLearning

extension Records {
    /// Names the records by what they hold, whatever file or declaration they come from: a data set
    /// under a second name is known by it.
    var fingerprint: Digest {
        var hash = SHA256()
        func add(_ bytes: UnsafeRawBufferPointer) {
            withUnsafeBytes(of: UInt64(bytes.count)) { hash.update($0) }
            hash.update(bytes)
        }
        switch features {
        case .bytes(let values, _): values.withUnsafeBytes(add)
        case .floats(let values): values.withUnsafeBytes(add)
        case .tokens(let values, let starts):
            values.withUnsafeBytes(add)
            starts.withUnsafeBytes(add)
        }
        switch targets {
        case .classes(let labels, _): labels.withUnsafeBytes(add)
        case .values(let values, _): values.withUnsafeBytes(add)
        }
        return hash.finalize()
    }
}
