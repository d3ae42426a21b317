extension Rule {
    // Spelled in two halves so that this file passes its own rules.
    private static let marks = ["TO" + "DO", "FIX" + "ME"]
    private static let places = [
        "/wor" + "k/", "/opt/sw" + "ift", "/opt/whe" + "els", "/ro" + "ot/", "file:/" + "//",
        "pypi" + ".org", "pythonhosted" + ".org", "deb.debian" + ".org", "proxy.golang" + ".org",
        "registry.npmjs" + ".org", "index" + "-url",
    ]

    static let unfinished = Rule(name: "nothing left for later") { file in
        let marks = marks.filter(file.contains)
        guard !marks.isEmpty else { return [] }
        return file.lines.enumerated().flatMap { index, line in
            marks.filter { line.containsWord($0) }.map {
                file.finding(line: index + 1, "`\($0)`: finish it or file it")
            }
        }
    }

    static let machine = Rule(name: "no paths of a machine, no registry's host") { file in
        let places = places.filter(file.contains)
        guard !places.isEmpty else { return [] }
        return file.lines.enumerated().flatMap { index, line in
            places.filter { line.contains($0) }.map {
                file.finding(line: index + 1, "`\($0)` is true on one machine only")
            }
        }
    }

    static let shellScripts = Rule(name: "shell scripts stop at the first error") { file in
        let first = file.lines.first ?? ""
        let isScript = first.hasPrefix("#!") && first.hasSuffix("sh")
        if !isScript {
            guard file.path.hasSuffix(".sh"),
                !file.lines.prefix(3).contains("# shellcheck shell=bash")
            else { return [] }
            return [file.finding(line: 1, "no interpreter, and not marked as a library")]
        }
        var findings: [Finding] = []
        if !file.isExecutable { findings.append(file.finding(line: 1, "not executable")) }
        if !file.lines.contains("set -euo pipefail") {
            findings.append(file.finding(line: 1, "no `set -euo pipefail`"))
        }
        return findings
    }
}

extension String {
    /// Whether `word` stands here on its own.
    fileprivate func containsWord(_ word: String) -> Bool {
        split { !($0.isLetter || $0.isNumber || $0 == "_") }.contains { $0 == word }
    }
}
