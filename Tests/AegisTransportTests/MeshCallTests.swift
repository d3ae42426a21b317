import AegisCore
import AegisCrypto
import AegisIdentity
import AegisProtocol
import AegisStore
import AegisTransport
import Synchronization
import Testing

@Suite("Calls between verified peers", .timeLimit(.minutes(1)))
struct MeshCallTests {
    @Test("the right pair is accepted, and the handler knows the caller")
    func rightPair() async throws {
        let (north, south) = (try Participant(), try Participant())
        let handler = RecordingHandler()
        try await withServer(north.identity, handler: handler) { _, address in
            await south.client.setAddress(address, of: north.node)
            try await south.client.post(statements: [[1, 2], [3]], to: north.node)
            #expect(handler.statements == [[1, 2], [3]])
            #expect(handler.seen.withLock { $0.statements[0].from } == south.node)
            #expect(try await south.client.get("/mesh/v1/status", from: north.node) == [123, 125])
            let reply = try await south.client.post(
                "/mesh/v1/echo?a=1&b=x", body: [9, 8], to: north.node)
            #expect(reply == MeshReply(status: 200, body: [9, 8]))
            let request = try #require(handler.seen.withLock { $0.requests.last })
            #expect(request.query == ["a": "1", "b": "x"])
            #expect(request.peer.node == south.node && request.role == .participant)
        }
        #expect(handler.refusals == [])
        await south.client.shutdown()
    }

    @Test("answers are typed: a problem, nothing there, too large, busy")
    func answers() async throws {
        let (north, south) = (try Participant(), try Participant())
        let handler = RecordingHandler()
        try await withServer(north.identity, handler: handler) { _, address in
            let client = south.client
            await client.setAddress(address, of: north.node)
            #expect(
                await client.outcome(of: north.node, "/mesh/v1/no")
                    == .status(north.node, 409, problem: "token-used"))
            #expect(
                await client.outcome(of: north.node, "/nothing")
                    == .status(north.node, 404, problem: "not-found"))
            await #expect(throws: MeshClientError.responseTooLarge(north.node, bytesMax: 1)) {
                try await client.get("/mesh/v1/status", from: north.node, bytesMax: 1)
            }
            handler.seen.withLock { $0.reception = .busy(retryAfter: .seconds(3)) }
            await #expect(
                throws: MeshClientError.busy(north.node, retryAfter: .seconds(3))
            ) { try await client.post(statements: [[1]], to: north.node) }
            await #expect(throws: MeshClientError.unknownPeer(south.node)) {
                try await client.get("/", from: south.node)
            }
        }
        await south.client.shutdown()
        #expect(await south.client.outcome(of: north.node) == .closed)
    }

    @Test("statements above the limits are answered with 413 and never reach the handler")
    func tooMuch() async throws {
        let (north, south) = (try Participant(), try Participant())
        let handler = RecordingHandler()
        try await withServer(north.identity, handler: handler) { _, address in
            await south.client.setAddress(address, of: north.node)
            let large = [UInt8](repeating: 7, count: Limits.batchBytesMax + 1)
            for body in [
                large, StatementBatch.encode([[UInt8]](repeating: [1], count: 257)),
            ] {
                await #expect(
                    throws: MeshClientError.status(north.node, 413, problem: "too-large")
                ) {
                    try await south.client.post(
                        "/mesh/v1/statements", body: body, to: north.node)
                }
            }
            await #expect(
                throws: MeshClientError.status(north.node, 400, problem: "malformed-batch")
            ) {
                try await south.client.post("/mesh/v1/statements", body: [1], to: north.node)
            }
            #expect(handler.statements == [])
            // Many statements go in as many batches as needed.
            let many = (0..<600).map { [UInt8($0 & 255), 1] }
            try await south.client.post(statements: many, to: north.node)
            #expect(handler.statements == many)
        }
        await south.client.shutdown()
    }

    @Test("a dead process is told apart from a silent one")
    func deadOrSilent() async throws {
        let (north, south) = (try Participant(), try Participant())
        let address = try await withServer(
            north.identity, handler: RecordingHandler()
        ) { _, address in
            await south.client.setAddress(address, of: north.node)
            #expect(await south.client.outcome(of: north.node) == nil)
            return address
        }
        #expect(await south.client.outcome(of: north.node) == .connectionRefused(north.node))
        // A socket that accepts and says nothing.
        let silent = try SilentListener()
        await south.client.setAddress(
            MeshAddress(host: "127.0.0.1", port: silent.port), of: north.node)
        #expect(await south.client.outcome(of: north.node) == .timedOut(north.node))
        #expect(address.port != silent.port)
        await south.client.shutdown()
    }

    @Test("a peer that restarts with a new leaf is recognised; one with an older leaf is not")
    func restart() async throws {
        let (north, south) = (try Participant(), try Participant())
        let newer = try Fixture.tls(north.key, sequence: 5)
        let handler = RecordingHandler()
        let address = try await withServer(north.identity, handler: handler) { _, address in
            await south.client.setAddress(address, of: north.node)
            #expect(await south.client.outcome(of: north.node) == nil)
            return address
        }
        try await withServer(newer, address: address, handler: handler) { _, _ in
            #expect(await south.client.outcome(of: north.node) == nil)
        }
        try await withServer(north.identity, address: address, handler: handler) { _, _ in
            #expect(
                await south.client.outcome(of: north.node)
                    == .staleBinding(north.node, sequence: 1, seen: 5))
        }
        await south.client.shutdown()
    }

    @Test("rotation while serving: both sides go on with the new leaf")
    func rotation() async throws {
        let (north, south) = (try Participant(), try Participant())
        let registry = Mutex(
            PeerRegistry(
                roster: try Roster(
                    epoch: 1,
                    entries: [
                        RosterEntry(node: south.node, name: "south", address: "s:1")
                    ], strictThree: false)))
        try await withServer(
            north.identity, handler: RecordingHandler(),
            policy: { peer in
                registry.withLock {
                    do throws(PeerRefusal) { return .admitted(try $0.admit(peer)) } catch {
                        return .refused(error)
                    }
                }
            }
        ) { server, address in
            await south.client.setAddress(address, of: north.node)
            #expect(await south.client.outcome(of: north.node) == nil)
            try server.replace(identity: Fixture.tls(north.key, sequence: 2))
            let retired = south.client.replace(identity: try Fixture.tls(south.key, sequence: 2))
            #expect(await south.client.outcome(of: north.node) == nil)
            await retired.close()
            #expect(await south.client.outcome(of: north.node) == nil)
            // The leaf that was replaced is dead.
            await south.client.replace(identity: south.identity).close()
            #expect(
                await south.client.outcome(of: north.node) == .refusedByPeer(north.node))
        }
        await south.client.shutdown()
    }
}
