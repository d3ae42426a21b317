extension Rule {
    /// Modules below the line of docs/ARCHITECTURE.md: time and chance are arguments there.
    static let pureModules: Set<String> = [
        "AegisCore", "AegisProtocol", "AegisCrypto", "AegisPrivacy", "AegisAggregation",
        "AegisLearning",
    ]

    private static let clocks = [
        "Date(", ".now", "ContinuousClock", "SuspendingClock", "Task.sleep", "Task {",
        "Task.detached", "clock_gettime", "gettimeofday",
    ]
    private static let chance = [
        "SystemRandomNumberGenerator", ".random(in", "Bool.random(", ".randomElement(",
        ".shuffled(", ".shuffle(", "arc4random", "getrandom",
    ]

    static let purity: [Rule] = [
        Rule(name: "no clock and no task in the pure modules") { file in
            guard isPure(file) else { return [] }
            // `self.now` is the time that was handed in and kept.
            return clocks.flatMap { token in
                file.occurrences(of: token)
                    .filter {
                        token != ".now" || !file.code[..<$0].suffix(4).elementsEqual("self".utf8)
                    }
                    .map { file.finding(at: $0, "`\(token)`: a pure module is given the time") }
            }
        },
        Rule(name: "no global randomness in the pure modules") { file in
            guard isPure(file) else { return [] }
            // A generator given by name is an argument, as it should be.
            return chance.flatMap { token in
                file.occurrences(of: token)
                    .filter { !file.takesGenerator(at: $0, token) }
                    .map { file.finding(at: $0, "`\(token)`: a pure module is given its chance") }
            }
        },
    ]

    private static func isPure(_ file: SourceFile) -> Bool {
        file.isSwift && file.isUnder("Sources") && file.module.map(pureModules.contains) == true
    }
}

extension SourceFile {
    /// Whether the call's arguments name a generator: `.shuffled(using: &random)`.
    fileprivate func takesGenerator(at offset: Int, _ token: String) -> Bool {
        guard let parenthesis = token.utf8.firstIndex(of: .openParenthesis) else { return false }
        var depth = 0
        let start = offset + token.utf8.distance(from: token.utf8.startIndex, to: parenthesis)
        guard
            let end = (start..<code.count).first(where: { position in
                if code[position] == .openParenthesis { depth += 1 }
                if code[position] == .closeParenthesis { depth -= 1 }
                return depth == 0
            })
        else { return false }
        return String(decoding: code[start...end], as: UTF8.self).contains("using:")
    }
}
