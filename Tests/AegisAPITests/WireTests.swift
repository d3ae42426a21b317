import AegisAPI
import FoundationEssentials
import Testing

@Suite("The API's JSON") struct WireTests {
    @Test("a document keeps its kinds of values and its keys")
    func document() throws {
        let text = #"{"aKey":[1,2.5,"x",true,null],"snake_case":{"e":1e-05},"z":-9}"#
        let document = try AegisAPI.document(Array(text.utf8))
        #expect(
            document
                == .object([
                    "aKey": .array([.integer(1), .number(2.5), "x", .bool(true), .null]),
                    "snake_case": .object(["e": .number(1e-5)]), "z": .integer(-9),
                ]))
        let written = String(decoding: try AegisAPI.encodeDocument(document), as: UTF8.self)
        #expect(written == text)
    }

    @Test("members are in snake case, and absent ones are left out")
    func problem() throws {
        var problem = Problem(
            .invalidRequest, faults: [FieldFault(field: "rounds", message: "is missing")])
        problem.requestID = "r1"
        let text = String(decoding: try AegisAPI.encode(problem), as: UTF8.self)
        #expect(
            text
                == #"{"faults":[{"field":"rounds","message":"is missing"}],"request_id":"r1","#
                + #""status":422,"title":"the request has faults","#
                + #""type":"urn:aegis:problem:invalid-request"}"#)
        #expect(try AegisAPI.decode(Problem.self, from: Array(text.utf8)) == problem)
    }

    @Test("every kind of problem has a type and a status of its own sort")
    func kinds() {
        #expect(Set(Problem.Kind.allCases.map(\.type)).count == Problem.Kind.allCases.count)
        for kind in Problem.Kind.allCases { #expect((400..<600).contains(kind.status)) }
    }

    @Test("a round's figures are the slowest time, the mean loss and the largest ε")
    func round() {
        let round = RoundView(
            round: 1, height: 2, view: 0, coordinator: "a", participants: ["a", "b"], model: nil,
            certificate: nil,
            measures: [
                .init(node: "a", name: "a", seconds: 1, loss: 0.5, accuracy: nil, epsilon: 1),
                .init(node: "b", name: "b", seconds: 3, loss: 1.5, accuracy: nil, epsilon: 2),
            ])
        #expect(round.seconds == 3)
        #expect(round.loss == 1)
        #expect(round.accuracy == nil)
        #expect(round.epsilonMax == 2)
    }
}
