import AegisAggregation
import AegisCore
import AegisLearning
import Crypto
import FoundationEssentials
import Glibc

/// Files in memory as they are on disk.
final class MappedFile {
    let path: String
    let bytes: UnsafeRawBufferPointer

    init(_ path: String) throws(Failure) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw Failure(.notFound, "\(path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(.invalidInput, "\(path) is no regular file")
        }
        self.path = path
        let count = Int(status.st_size)
        guard count > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let address, address != MAP_FAILED else {
            throw Failure(.invalidInput, "\(path): \(String(cString: strerror(errno)))")
        }
        bytes = UnsafeRawBufferPointer(start: address, count: count)
    }

    deinit {
        if let address = bytes.baseAddress {
            munmap(UnsafeMutableRawPointer(mutating: address), bytes.count)
        }
    }
}

/// A safetensors file that takes part, or why it does not.
struct UpdateFile {
    let file: MappedFile
    let node: NodeID
    let weight: Double
    let tensors: [TensorDeclaration]
    let values: RawUpdate

    /// `index` is its place on the command line, which takes the place of a node id.
    init(_ path: String, index: Int, weight: Double = 1) throws(Failure) {
        file = try MappedFile(path)
        self.weight = weight
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: index >> (56 - 8 * $0)) }
        guard let node = NodeID(bytes + [UInt8](repeating: 0, count: 24)) else {
            preconditionFailure("32 bytes are a node id")
        }
        self.node = node
        let contents: Safetensors.Contents
        do { contents = try Safetensors.parse(file.bytes) } catch {
            throw Failure(.invalidInput, "\(path) is no safetensors file of float32: \(error)")
        }
        tensors = contents.tensors
            .sorted {
                ($0.bytes.lowerBound, $0.bytes.upperBound)
                    < ($1.bytes.lowerBound, $1.bytes.upperBound)
            }
            .map(\.declaration)
        guard
            let values = RawUpdate(
                UnsafeRawBufferPointer(rebasing: file.bytes[contents.valuesStart...]))
        else { throw Failure(.invalidInput, "\(path) ends within a value") }
        self.values = values
    }

    var update: NodeUpdate { NodeUpdate(node: node, weight: weight, values: values) }

    /// What nodes would vote on.
    static func digest(_ bytes: UnsafeRawBufferPointer) -> String {
        var hash = SHA256()
        hash.update(bufferPointer: bytes)
        return "sha256:"
            + hash.finalize().map { byte in
                let digits = String(byte, radix: 16)
                return digits.count == 1 ? "0" + digits : digits
            }.joined()
    }
}

/// Where a result goes: memory, or a file that appears whole or not at all.
final class ResultFile {
    let bytes: UnsafeMutableRawBufferPointer
    let values: UnsafeMutableBufferPointer<Float>
    private let path: String?
    private var partial: String { (path ?? "") + ".partial" }

    init(_ path: String?, tensors: [TensorDeclaration]) throws(Failure) {
        let header = Safetensors.header(tensors, metadata: ["format": "pt"])
        let count = tensors.reduce(0) { $0 + $1.count }
        let size = header.count + 4 * count
        self.path = path
        var flags = MAP_PRIVATE | MAP_ANONYMOUS
        var descriptor: Int32 = -1
        if let path {
            descriptor = open(path + ".partial", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            guard descriptor >= 0, posix_fallocate(descriptor, 0, size) == 0 else {
                throw Failure(.cannotWrite, "\(path): \(String(cString: strerror(errno)))")
            }
            flags = MAP_SHARED
        }
        defer { if descriptor >= 0 { close(descriptor) } }
        let address = mmap(nil, size, PROT_READ | PROT_WRITE, flags, descriptor, 0)
        guard let address, address != MAP_FAILED else {
            throw Failure(.cannotWrite, "no memory for a result of \(size) bytes")
        }
        bytes = UnsafeMutableRawBufferPointer(start: address, count: size)
        bytes.copyBytes(from: header)
        // The header's length is a multiple of eight.
        values = UnsafeMutableRawBufferPointer(rebasing: bytes[header.count...])
            .bindMemory(to: Float.self)
    }

    deinit {
        munmap(bytes.baseAddress, bytes.count)
        if path != nil { unlink(partial) }
    }

    func save() throws(Failure) {
        guard let path else { return }
        guard msync(bytes.baseAddress, bytes.count, MS_SYNC) == 0, rename(partial, path) == 0
        else { throw Failure(.cannotWrite, "\(path): \(String(cString: strerror(errno)))") }
    }
}
