import AegisLearning
import Foundation
import Testing

/// Files beside the tests; `Fixtures/make.py` wrote them with other people's libraries.
enum Fixture {
    static func data(_ name: String, file: String = #filePath) throws -> Data {
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent()
        return try Data(contentsOf: folder.appending(path: "Fixtures/\(name)"))
    }
}

@Suite("Wavelet scattering as kymatio has it")
struct ScatterNetTests {
    private func fixture() throws -> (images: [Float], maps: [Float]) {
        let values = try Fixture.data("scattering.f32").withUnsafeBytes {
            Array($0.bindMemory(to: Float.self))
        }
        return (Array(values[..<1568]), Array(values[1568...]))
    }

    @Test("81 maps of 7 × 7, to 1e-4, whatever lane an image is in", arguments: [1, 16, 17])
    func maps(copies: Int) throws {
        let (images, maps) = try fixture()
        let many = Array(repeating: Array(images[784...]), count: copies - 1).flatMap { $0 }
        let ours = ScatterNet().features(of: many + images[..<784], groups: 0)
        #expect(ours.count == copies * ScatterNet.width && maps.count == 2 * ScatterNet.width)
        for (index, value) in ours.suffix(ScatterNet.width).enumerated() {
            #expect(abs(value - maps[index]) < 1e-4)
        }
        if copies > 1 {
            for (index, value) in ours.prefix(ScatterNet.width).enumerated() {
                #expect(abs(value - maps[ScatterNet.width + index]) < 1e-4)
            }
        }
    }

    @Test("groups of three channels have mean 0 and variance 1, image by image")
    func normalised() throws {
        let (images, maps) = try fixture()
        let size = ScatterNet.width / ScatterNet.groups
        for (group, values) in ScatterNet().features(of: images).chunked(by: size).enumerated() {
            let plain = maps[group * size..<(group + 1) * size].map(Double.init)
            let mean = plain.reduce(0, +) / Double(size)
            let variance = plain.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(size)
            for (value, raw) in zip(values, plain) {
                #expect(abs(Double(value) - (raw - mean) / (variance + 1e-5).squareRoot()) < 5e-3)
            }
        }
    }
}

extension [Float] {
    fileprivate func chunked(by size: Int) -> [[Float]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<$0 + size]) }
    }
}
