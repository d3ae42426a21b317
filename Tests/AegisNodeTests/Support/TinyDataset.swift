import TestFolders

/// A data set in MNIST's layout: 40 records to train on, 10 to test with.
enum TinyDataset {
    static func write(to directory: String, records: Int = 40) throws {
        for (name, count) in [("train", records), ("t10k", 10)] {
            try Files.write(
                images(count), to: "\(directory)/\(name)-images-idx3-ubyte")
            try Files.write(
                bigEndian(0x0801) + bigEndian(UInt32(count))
                    + (0..<count).map { UInt8($0 % 10) },
                to: "\(directory)/\(name)-labels-idx1-ubyte")
        }
    }

    /// A bright bar whose height tells the class.
    private static func images(_ count: Int) -> [UInt8] {
        var bytes = bigEndian(0x0803) + bigEndian(UInt32(count)) + bigEndian(28) + bigEndian(28)
        for record in 0..<count {
            for row in 0..<28 {
                let bright: UInt8 = row / 3 == record % 10 ? 220 : 10
                bytes += [UInt8](repeating: bright, count: 28)
            }
        }
        return bytes
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }
}
