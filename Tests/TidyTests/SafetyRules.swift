extension Rule {
    static let safety: [Rule] = [
        forbidding(
            ["print(", "debugPrint("], name: "no print outside the programs",
            because: "a module logs or returns; only the programs in agents/ print",
            where: { $0.isUnder("Sources", "Tests") }),
        forbidding(
            ["try!", "as!"], name: "no forced try or cast",
            because: "input from outside causes errors, never traps",
            where: { !$0.isUnder("Tests") }),
        Rule(name: "no forced unwrapping") { file in
            guard file.isSwift, !file.isUnder("Tests") else { return [] }
            return file.forcedUnwraps().map { file.finding(at: $0, "`!` unwraps by force") }
        },
        Rule(name: "whatever the compiler can't check has its reason above it") { file in
            guard file.isSwift else { return [] }
            return file.uncheckedWithoutReason()
        },
        forbidding(
            ["verifiedFrom:", "unverifiedPayload"], name: "only a verifier makes `Verified`",
            because: "decode what a verifier returned, or `map` it",
            where: { file in
                file.isUnder("Sources", "agents")
                    && !["AegisCore", "AegisCrypto", "AegisSimulation"].contains(file.module)
            }),
        forbidding(
            ["SIMD4<", "SIMD8<", "SIMD16<", "SIMD32<", "SIMD64<"],
            name: "no wide vector where an async function could hold it",
            because: "Swift 6.3 makes the frame of an async function too small for one",
            where: { file in
                file.isUnder("Sources", "agents") && file.module != "AegisAggregation"
                    && !file.path.hasSuffix("AegisCrypto/CryptographicGenerator.swift")
            }),
    ]
}

extension SourceFile {
    private static let unchecked = [
        "@unchecked Sendable", "nonisolated(unsafe)", "unowned(unsafe)", "@unsafe", "@safe",
    ]

    /// `!` after a value or a type. `!=` and the prefix form have no operand directly before them.
    fileprivate func forcedUnwraps() -> [Int] {
        code.indices.filter { position in
            guard code[position] == UInt8(ascii: "!"), position > 0 else { return false }
            let before = code[position - 1]
            guard before.isIdentifier || ")]}>\"`?".utf8.contains(before) else { return false }
            if position + 1 < code.count, code[position + 1] == UInt8(ascii: "=") { return false }
            let word = code[..<position].suffix(3)
            return !word.elementsEqual("try".utf8) && !word.suffix(2).elementsEqual("as".utf8)
        }
    }

    fileprivate func uncheckedWithoutReason() -> [Finding] {
        Self.unchecked.flatMap { mark in
            occurrences(of: mark).compactMap { offset in
                hasReason(aboveLine: line(at: offset))
                    ? nil : finding(at: offset, "`\(mark)` without a comment above that proves it")
            }
        }
    }

    /// A comment stands directly above the declaration that has `line`; attributes and the first
    /// lines of the same declaration may lie between.
    private func hasReason(aboveLine line: Int) -> Bool {
        var above = line - 2
        while above >= 0 {
            let text = lines[above].drop { $0 == " " }
            if text.hasPrefix("//") { return text.count >= 20 }
            let continues = [",", ":", "("].contains { text.hasSuffix($0) }
            guard continues || text.hasPrefix("@") else { return false }
            above -= 1
        }
        return false
    }
}
