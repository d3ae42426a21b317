import ArgumentParser
import Foundation
import Testing
import aegis

@Suite("aegis aggregate") struct AggregateTests {
    private func answer(_ line: String) throws -> [String: Any] {
        let text = AggregateBatch.answer(Array(line.utf8))
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8))
        return try #require(object as? [String: Any])
    }

    @Test("a batch gives each reference vector's output, index, selection or error")
    func vectors() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent()
            .appending(path: "AegisAggregationTests/Fixtures/aggregation.json")
        let document = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        var checked = 0
        for item in try #require(document["cases"] as? [[String: Any]]) {
            for expected in try #require(item["expect"] as? [[String: Any]]) {
                let line = try JSONSerialization.data(withJSONObject: [
                    "id": item["id"], "rule": expected["rule"], "params": expected["params"],
                    "inputs": item["inputs"],
                ])
                let ours = try answer(String(decoding: line, as: UTF8.self))
                #expect(ours["id"] as? String == item["id"] as? String)
                #expect(ours["error"] as? String == expected["error"] as? String)
                #expect(ours["rejected"] as? [Int] == expected["rejected"] as? [Int])
                if let rest = expected["after_rejection"] as? [String: Any] {
                    try compare(try #require(ours["after_rejection"] as? [String: Any]), rest)
                } else if expected["error"] == nil {
                    try compare(ours, expected)
                }
                checked += 1
            }
        }
        #expect(checked == 1450)
    }

    private func compare(_ ours: [String: Any], _ expected: [String: Any]) throws {
        let tolerance = try #require(expected["tol_abs"] as? Double)
        let (left, right) = (try rows(ours["output"]), try rows(expected["output"]))
        #expect(left.map(\.count) == right.map(\.count))
        for (left, right) in zip(left.joined(), right.joined()) {
            #expect(abs(left - right) <= tolerance)
        }
        for name in ["index", "selected"] where expected[name] != nil {
            #expect(ours[name] as? NSObject == expected[name] as? NSObject)
        }
    }

    private func rows(_ output: Any?) throws -> [[Double]] {
        if let rows = output as? [[Double]] { return rows }
        return [try #require(output as? [Double])]
    }

    @Test(
        "what is wrong with a case has a name",
        arguments: [
            (
                "{\"id\":1,\"rule\":\"krum\",\"params\":{\"f\":1.5},\"inputs\":[[1],[2],[3]]}",
                "bad_params"
            ),
            (
                "{\"id\":1,\"rule\":\"krum\",\"params\":{\"f\":-1},\"inputs\":[[1],[2],[3]]}",
                "bad_params"
            ),
            ("{\"id\":1,\"rule\":\"none\",\"inputs\":[[1]]}", "unknown_rule"),
            ("{\"id\":1,\"rule\":\"mean\",\"inputs\":[[1],[\"a\"]]}", "bad_json"),
            ("{\"id\":1,\"rule\":\"mean\",\"inputs\":[[1],[01]]}", "bad_json"),
            ("{\"id\":1,\"rule\":\"mean\",\"inputs\":[[1]]} x", "bad_json"),
            ("{\"id\":1,\"id\":2}", "bad_json"), ("[", "bad_json"), ("", "bad_json"),
            ("{\"a\":\"\\u12", "bad_json"), (String(repeating: "[", count: 99), "bad_json"),
            ("{\"id\":1,\"rule\":\"fltrust\",\"inputs\":[[1]]}", "bad_params"),
            ("{\"id\":1,\"rule\":\"mean\",\"inputs\":[[1e39],[2]]}", "non_finite"),
        ])
    func faults(line: String, error: String) throws {
        #expect(try answer(line)["error"] as? String == error)
    }

    @Test("an id comes back as it was written, and outputs read back as the same float32")
    func spelling() {
        let line = "{ \"id\" : {\"a\":[1, 2]}, \"rule\":\"mean\", \"inputs\":[[0.1,1e-39,-0]] }"
        #expect(
            AggregateBatch.answer(Array(line.utf8))
                == "{\"id\":{\"a\":[1, 2]},\"output\":[0.10000000149011612,"
                + "\(Double(Float(1e-39))),0.0]}")
    }

    @Test("files: the result is written whole, an update that fails is refused with its reason")
    func files() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("aegis-aggregate-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func write(_ name: String, _ values: [Float]) throws -> String {
            let header =
                "{\"w\":{\"dtype\":\"F32\",\"shape\":[\(values.count)],"
                + "\"data_offsets\":[0,\(4 * values.count)]}}"
            var bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
            bytes += Data(header.utf8)
            values.withUnsafeBytes { bytes += Data($0) }
            let path = folder.appendingPathComponent(name).path
            try bytes.write(to: URL(fileURLWithPath: path))
            return path
        }
        let updates = try [[1, 10], [2, 20], [600, -7], [.nan, 0]].enumerated().map {
            try write("\($0).safetensors", $1)
        }
        let result = folder.appendingPathComponent("out.safetensors").path
        func run(_ arguments: [String]) throws {
            let command = try #require(
                try Aegis.parseAsRoot(["aggregate"] + arguments) as? AggregateCommand)
            try command.run()
        }
        try run(["--rule", "trimmed-mean", "--byzantine", "1", "--save", result] + updates)
        let saved = try Data(contentsOf: URL(fileURLWithPath: result))
        let values = saved.suffix(8).withUnsafeBytes { bytes in
            (0..<2).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        }
        #expect(values == [2, 10])
        #expect(!FileManager.default.fileExists(atPath: result + ".partial"))
        // Too few for f, other tensors, no file, no rule, no parameter.
        let other = try write("other.safetensors", [1])
        for wrong in [
            ["--rule", "krum", "--byzantine", "2"] + updates,
            ["--rule", "mean", updates[0], other], ["--rule", "mean", result + ".no"],
            ["--rule", "nothing", updates[0]], ["--rule", "krum"] + updates, ["--rule", "mean"],
            [],
        ] {
            #expect(throws: Failure.self) { try run(wrong) }
        }
    }
}
