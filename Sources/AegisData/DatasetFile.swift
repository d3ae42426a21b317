package import AegisLearning
import AegisStore
import Glibc

package enum DataFileError: Error, Hashable, Sendable {
    case notFound(String)
    case tooLarge(String, bytesMax: Int)
    /// Both or neither of a folder's files would be read.
    case noArrayFile(folder: String, name: String)
    /// What an array's file has is not what it should be.
    case notIDX(String, IDXError)
    case notNPY(String, NPYError)
}

/// Small files that are read whole.
package enum DatasetFile {
    package static let declarationBytesMax = 1 << 20

    package static func contents(_ path: String, bytesMax: Int = declarationBytesMax) throws
        -> [UInt8]
    {
        guard access(path, R_OK) == 0 else { throw DataFileError.notFound(path) }
        var source = try FileSource.open(path)
        var bytes: [UInt8] = []
        while true {
            let piece = try source.read(atMost: 1 << 20)
            if piece.isEmpty { return bytes }
            bytes += piece
            guard bytes.count <= bytesMax else {
                throw DataFileError.tooLarge(path, bytesMax: bytesMax)
            }
        }
    }

    package static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
