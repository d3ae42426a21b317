import AegisAPI
import AegisPrivacy
import ArgumentParser
import Foundation
import Testing
import aegis

@Suite("aegis privacy") struct PrivacyCommandTests {
    private func answer(
        _ line: String, _ command: (PrivacyCase) throws(CaseFault) -> String
    ) throws -> [String: JSONValue] {
        let response = PrivacyBatch.respond(Array(line.utf8), command)
        let text = try #require(response)
        guard case .object(let fields) = try AegisAPI.document(Array(text.utf8)) else {
            Issue.record("not an object: \(text)")
            return [:]
        }
        return fields
    }

    private func number(_ value: JSONValue?) -> Double? {
        switch value {
        case .number(let number): number
        case .integer(let integer): Double(integer)
        default: nil
        }
    }

    @Test("a case of epsilon is answered with both bounds and who proved them")
    func epsilon() throws {
        let fields = try answer(
            #"""
            {"id":"a","phases":[{"sampling_rate":0.01,"noise_multiplier":1,"steps":10000}],
            "delta":1e-5,"accountant":"best","comment":"ignored"}
            """#, PrivacyBatch.epsilon)
        #expect(Set(fields.keys) == ["id", "epsilon", "epsilon_lower", "accountant", "seconds"])
        #expect(fields["id"] == "a")
        #expect(fields["accountant"] == "pld")
        let epsilon = try #require(number(fields["epsilon"]))
        #expect(epsilon >= 6.1774 && epsilon < 6.19)
        #expect(try #require(number(fields["epsilon_lower"])) <= epsilon)
    }

    @Test("epsilon after each of the next steps, on request")
    func nextSteps() throws {
        func line(_ count: Int) -> String {
            "{\"id\":1,\"delta\":1e-5,\"next_steps\":\(count),\"phases\":"
                + "[{\"sampling_rate\":0.01,\"noise_multiplier\":1,\"steps\":1000}]}"
        }
        let fields = try answer(line(3), PrivacyBatch.epsilon)
        guard case .array(let next)? = fields["epsilon_next"] else {
            Issue.record("no list: \(fields)")
            return
        }
        let values = [fields["epsilon"]] + next.map(Optional.init)
        let epsilons = values.compactMap(number)
        #expect(epsilons.count == 4 && epsilons[3] > epsilons[1])
        #expect(epsilons[3] < epsilons[0] * 1.01 && epsilons[3] > epsilons[0] * 0.999)
        #expect(try #require(number(fields["seconds_next"])) >= 0)
        #expect(try answer(line(1_001), PrivacyBatch.epsilon)["error"] != nil)
    }

    @Test("no noise costs an infinite epsilon, spelled inf; nothing costs nothing")
    func infinite() throws {
        let phase = #""sampling_rate":0.01,"noise_multiplier":0"#
        let fields = try answer(
            "{\"id\":1,\"phases\":[{\(phase),\"steps\":1}],\"delta\":1e-5}", PrivacyBatch.epsilon)
        #expect(fields["epsilon"] == "inf" && fields["epsilon_lower"] == "inf")
        #expect(fields["id"] == .integer(1))
        let none = try answer(
            "{\"id\":2,\"phases\":[{\(phase),\"steps\":0}],\"delta\":1e-5}", PrivacyBatch.epsilon)
        #expect(number(none["epsilon"]) == 0)
    }

    @Test(
        "a bad case is answered with its id and an error that names the field",
        arguments: [
            (
                #"{"id":"x","phases":[{"sampling_rate":1.5,"noise_multiplier":1,"steps":1}]"#
                    + #","delta":1e-5}"#, "phases[0]: sampling_rate must be from 0 to 1, is 1.5"
            ),
            (
                #"{"id":"x","phases":[{"sampling_rate":NaN,"noise_multiplier":1,"steps":1}]"#
                    + #","delta":1e-5}"#, "phases[0]: sampling_rate is not a number"
            ),
            (
                #"{"id":"x","phases":[{"sampling_rate":0.1,"noise_multiplier":-1,"steps":1}]"#
                    + #","delta":1e-5}"#,
                "phases[0]: noise_multiplier must be a finite number from 0, is -1.0"
            ),
            (
                #"{"id":"x","phases":[{"sampling_rate":0.1,"noise_multiplier":1,"steps":1.5}]"#
                    + #","delta":1e-5}"#, "phases[0]: steps must be a whole number from 0, is 1.5"
            ),
            (#"{"id":"x","phases":[],"delta":2}"#, "delta must be from 0 to 1, is 2.0"),
            (#"{"id":"x","phases":[],"delta":Infinity}"#, "delta must be from 0 to 1, is inf"),
            (#"{"id":"x","phases":[]}"#, "delta is missing"),
            (#"{"id":"x","delta":1e-5}"#, "phases are missing"),
            (#"{"id":"x","phases":3,"delta":1e-5}"#, "phases must be a list, are a number"),
            (
                #"{"id":"x","phases":[],"delta":1e-5,"accountant":"gdp"}"#,
                "accountant must be one of rdp, pld, best"
            ),
            (
                #"{"id":"x","phases":[{"sampling_rate":0.1,}"#,
                "not JSON: expected a key at byte 41"
            ),
        ])
    func faults(line: String, message: String) throws {
        let fields = try answer(line, PrivacyBatch.epsilon)
        #expect(fields == ["id": "x", "error": .text(message)])
    }

    @Test("what has no id is answered with null, and an empty line not at all")
    func withoutID() throws {
        #expect(try answer("hello", PrivacyBatch.epsilon)["id"] == .null)
        #expect(try answer("[1]", PrivacyBatch.delta)["id"] == .null)
        #expect(PrivacyBatch.respond(Array("  \r".utf8), PrivacyBatch.rdp) == nil)
        let deep = String(repeating: "[", count: 100_000)
        #expect(try answer(deep, PrivacyBatch.rdp)["error"] != nil)
    }

    @Test("delta, calibrate and rdp answer in their formats")
    func others() throws {
        let delta = try answer(
            #"{"id":"d","phases":[{"sampling_rate":1,"noise_multiplier":4,"steps":10}],"#
                + #""epsilon":3}"#,
            PrivacyBatch.delta)
        #expect(Set(delta.keys) == ["id", "delta", "seconds"])
        #expect(abs(try #require(number(delta["delta"])) / 5.7484e-5 - 1) < 1e-3)

        let found = try answer(
            #"{"id":"c","epsilon":3,"delta":1e-5,"sampling_rate":0.01,"steps":10000}"#,
            PrivacyBatch.calibrate)
        #expect(Set(found.keys) == ["id", "noise_multiplier", "epsilon", "seconds"])
        #expect(abs(try #require(number(found["noise_multiplier"])) / 1.56499 - 1) < 0.005)
        #expect(try #require(number(found["epsilon"])) <= 3)
        #expect(
            try answer(
                #"{"id":"c","epsilon":3,"delta":1e-5,"steps":10000}"#, PrivacyBatch.calibrate)[
                    "error"] != nil)

        let curve = try answer(
            #"{"id":"r","sampling_rate":1,"noise_multiplier":2,"orders":[2,2.5,64]}"#,
            PrivacyBatch.rdp)
        #expect(curve["rdp"] == .array([.number(0.25), .number(0.3125), .integer(8)]))
        let wrong = try answer(
            #"{"id":"r","sampling_rate":1,"noise_multiplier":2,"orders":[1]}"#, PrivacyBatch.rdp)
        #expect(wrong["error"] == "orders[0] must be a finite number above 1, is 1.0")
    }

    @Test("epsilon for people: the number, both accountants, a chart no wider than the page")
    func forPeople() throws {
        let command = try #require(
            try Aegis.parseAsRoot([
                "privacy", "epsilon", "--sampling-rate", ".01", "--noise-multiplier", "1",
                "--steps", "1000", "--delta", "1e-5",
            ]) as? PrivacyEpsilon)
        let text = try command.text(width: 60)
        #expect(text.hasPrefix("epsilon 1.829 at delta 1e-05\n"))
        #expect(text.contains("by Renyi divergences"))
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 60 })
        #expect(text.contains("1000 steps"))
    }

    @Test("plan: every row keeps the budget and comes within 0.1 % of it")
    func plan() throws {
        let command = try #require(
            try Aegis.parseAsRoot([
                "privacy", "plan", "--records", "6000", "--epsilon", "3", "--rounds", "20",
            ]) as? PrivacyPlan)
        let rows = try command.rows()
        #expect(rows.count == 9)
        for row in rows { #expect(row.epsilon <= 3 && row.epsilon > 2.997) }
        #expect(rows.last?.batch == 6_000 && rows.last?.samplingRate == 1)
        #expect(throws: Failure.self) {
            var bad = command
            bad.rounds = 0
            _ = try bad.rows()
        }
    }

    @Test("a chart of nothing is empty")
    func emptyChart() {
        #expect(TextChart(title: "t", xLabel: "x", points: []).text() == "")
        #expect(TextChart(title: "t", xLabel: "x", points: [(1, .infinity)]).text() == "")
    }
}
