import AegisSimulation
import ArgumentParser

struct SeedRange: ExpressibleByArgument {
    let first: UInt64
    let last: UInt64

    init(first: UInt64, last: UInt64) {
        self.first = first
        self.last = last
    }

    /// `7` or `7..9`.
    init?(argument: String) {
        let ends = argument.split(separator: ".", omittingEmptySubsequences: true)
        guard (1...2).contains(ends.count), let first = UInt64(ends[0]),
            let last = UInt64(ends[ends.count - 1]), first <= last,
            argument == (ends.count == 1 ? "\(ends[0])" : "\(ends[0])..\(ends[1])")
        else { return nil }
        self.init(first: first, last: last)
    }

    var defaultValueDescription: String { "\(first)..\(last)" }
}

enum OutputFormat: String, ExpressibleByArgument, CaseIterable { case text, json }

enum CryptographyChoice: String, ExpressibleByArgument, CaseIterable {
    case symbolic, real

    var cryptography: any SimulationCryptography {
        switch self {
        case .symbolic: SymbolicCryptography()
        case .real: RealCryptography()
        }
    }
}

/// `loss=0`.
struct Setting: ExpressibleByArgument {
    let name: String
    let value: Int

    init?(argument: String) {
        let parts = argument.split(separator: "=")
        guard parts.count == 2, let value = Int(parts[1]),
            SimulationOptions.fields.contains(where: { $0.name == parts[0] })
        else { return nil }
        name = String(parts[0])
        self.value = value
    }
}

/// `3,17,42`; `none`.
struct FaultList: ExpressibleByArgument {
    let numbers: Set<Int>

    init?(argument: String) {
        guard argument != "none" else {
            numbers = []
            return
        }
        let parts = argument.split(separator: ",").map { Int($0) }
        guard !parts.contains(nil) else { return nil }
        numbers = Set(parts.compactMap(\.self))
    }
}
