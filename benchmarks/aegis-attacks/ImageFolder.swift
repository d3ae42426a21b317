import AegisLearning
import Glibc

/// The four IDX files of Fashion-MNIST or a data set like it, unpacked, of which an experiment
/// takes the first records.
struct ImageFolder {
    static let classes = 10

    let pixels: [UInt8]
    let labels: [UInt8]
    let testPixels: [UInt8]
    let testLabels: [UInt8]
    let pixelsPerImage: Int

    init(path: String, train: Int, test: Int) throws {
        let images = try Self.images("\(path)/train-images-idx3-ubyte", count: train)
        let testImages = try Self.images("\(path)/t10k-images-idx3-ubyte", count: test)
        pixels = images.pixels
        testPixels = testImages.pixels
        pixelsPerImage = images.pixelsPerImage
        labels = try Self.labels("\(path)/train-labels-idx1-ubyte", count: train)
        testLabels = try Self.labels("\(path)/t10k-labels-idx1-ubyte", count: test)
    }

    /// The images of some records, one after the other.
    func pixels(of records: [Int]) -> [UInt8] {
        records.flatMap { pixels[$0 * pixelsPerImage..<($0 + 1) * pixelsPerImage] }
    }

    private static func images(_ path: String, count: Int) throws -> IDXImages {
        try withFile(path) { pull in
            try IDXParser.images(keeping: Array(0..<count), pull: pull)
        }
    }

    private static func labels(_ path: String, count: Int) throws -> [UInt8] {
        try withFile(path) { pull in
            try IDXParser.labels(keeping: Array(0..<count), pull: pull)
        }
    }

    private static func withFile<Result>(
        _ path: String, _ body: ((Int) throws -> [UInt8]) throws -> Result
    ) throws -> Result {
        guard let file = fopen(path, "rb") else { throw ImageFolderError.cannotOpen(path) }
        defer { fclose(file) }
        return try body { count in
            [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
                initialized = fread(buffer.baseAddress, 1, count, file)
            }
        }
    }
}

enum ImageFolderError: Error, CustomStringConvertible {
    case cannotOpen(String)

    var description: String {
        switch self {
        case .cannotOpen(let path): "cannot open \(path)"
        }
    }
}
