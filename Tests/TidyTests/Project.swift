import Foundation

/// The project's own files on disk.
enum Project {
    /// Two folders above this file, wherever the package was cloned to.
    static let root = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// What .gitignore leaves out, and git's own folder.
    private static let skipped: Set<String> = [
        ".git", "mesh", "demo-results", "__pycache__", "Package.resolved",
    ]
    private static let skippedPrefixes = [".build", ".venv"]

    /// Every text file of the project; read once.
    static let files: [SourceFile] = read(folder: root, under: "")

    static func folders(in path: String) -> [String] {
        let names = try? FileManager.default.contentsOfDirectory(
            atPath: root.appending(path: path).path)
        return (names ?? []).filter { isFolder(root.appending(path: path).appending(path: $0)) }
    }

    private static func isFolder(_ url: URL) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
            && isFolder.boolValue
    }

    private static func read(folder: URL, under prefix: String) -> [SourceFile] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.sorted().flatMap { name -> [SourceFile] in
            guard !skipped.contains(name), !skippedPrefixes.contains(where: name.hasPrefix) else {
                return []
            }
            let url = folder.appending(path: name)
            if isFolder(url) { return read(folder: url, under: prefix + name + "/") }
            guard let data = try? Data(contentsOf: url), !data.prefix(4096).contains(0),
                let text = String(data: data, encoding: .utf8)
            else { return [] }
            let isExecutable = FileManager.default.isExecutableFile(atPath: url.path)
            return [SourceFile(path: prefix + name, text: text, isExecutable: isExecutable)]
        }
    }
}
