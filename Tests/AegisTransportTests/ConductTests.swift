import AegisCore
import AegisIdentity
import AegisTransport
import NIOCore
import TestFolders
import Testing

@Suite("A peer that misbehaves is cut off, and the others don't notice", .timeLimit(.minutes(2)))
struct ConductTests {
    @Test("requests beyond the rate are refused; too many, or unreadable ones, cut the peer off")
    func bucket() {
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
        var conduct = PeerConduct(now: start)
        func requests(_ count: Int, at time: NIODeadline) -> Set<PeerConduct.Verdict> {
            Set((0..<count).map { _ in conduct.request(now: time) })
        }
        #expect(requests(TransportLimits.requestsBurst, at: start) == [.fine])
        #expect(requests(1, at: start) == [.tooFast])
        // It fills again.
        let later = start + .seconds(1)
        #expect(requests(TransportLimits.requestsPerSecond, at: later) == [.fine])
        #expect(requests(TransportLimits.strikesMax - 2, at: later) == [.tooFast])
        #expect(requests(1, at: later) == [.cutOff])
        #expect(conduct.isCutOff(now: later + .seconds(29)))
        #expect(requests(1, at: later + .seconds(29)) == [.cutOff])
        #expect(!conduct.isCutOff(now: later + .seconds(31)))
        #expect(requests(1, at: later + .seconds(31)) == [.fine])
    }

    @Test("strikes are forgotten in time")
    func forgotten() {
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
        var conduct = PeerConduct(now: start)
        let cutOff = (0..<10 * TransportLimits.strikesMax).contains { second in
            conduct.strike(now: start + .seconds(2 * Int64(second)))
        }
        #expect(!cutOff)
    }

    @Test("a flood is answered with 429, then with nothing; another member is served meanwhile")
    func flood() async throws {
        let (north, flooder, honest) = (try Participant(), try Participant(), try Participant())
        let handler = RecordingHandler()
        try await withServer(north.identity, handler: handler) { server, address in
            await flooder.client.setAddress(address, of: north.node)
            await honest.client.setAddress(address, of: north.node)
            #expect(await honest.client.outcome(of: north.node) == nil)
            var outcomes: [MeshClientError?] = []
            for _ in 0..<200 where outcomes.last.map({ $0?.isCutOff != true }) ?? true {
                outcomes += await withTaskGroup(of: MeshClientError?.self) { group in
                    for _ in 0..<16 {
                        group.addTask { await flooder.client.outcome(of: north.node) }
                    }
                    return await group.reduce(into: []) { $0.append($1) }
                }
                outcomes.append(outcomes.first { $0?.isCutOff == true } ?? nil)
            }
            #expect(outcomes.contains { $0?.isCutOff == true }, "\(outcomes.suffix(3))")
            #expect(handler.cutOff.contains(flooder.node))
            try await eventually { !server.connectedNodes.contains(flooder.node) }
            #expect(await honest.client.outcome(of: north.node) == nil)
            #expect(await flooder.client.outcome(of: north.node) != nil)
            #expect(!handler.cutOff.contains(honest.node))
        }
        await flooder.client.shutdown()
        await honest.client.shutdown()
    }

    @Test("who sends bodies that are no batches is cut off too")
    func garbage() async throws {
        let (north, fool) = (try Participant(), try Participant())
        let handler = RecordingHandler()
        try await withServer(north.identity, handler: handler) { _, address in
            await fool.client.setAddress(address, of: north.node)
            for _ in 0..<TransportLimits.strikesMax {
                _ = try? await fool.client.post(
                    "/mesh/v1/statements", body: [0xff, 0x00], to: north.node)
            }
            #expect(handler.cutOff == [fool.node])
            #expect(await fool.client.outcome(of: north.node) != nil)
        }
        await fool.client.shutdown()
    }

    /// What OpenSSL's client gets for bytes that come as a shell's commands send them, and how
    /// long it was let.
    private func openssl(
        _ identity: TLSIdentity, _ address: MeshAddress, _ sending: String
    ) async throws -> (answer: String, took: Duration) {
        let directory = try TemporaryDirectory()
        try Files.write(Array(identity.leafPEM.utf8), to: directory.file("leaf.pem"))
        try Files.write(Array(identity.privateKeyPEM.utf8), to: directory.file("key.pem"))
        let began = ContinuousClock().now
        // The client ends with the connection, and the sender with the client's end.
        let answer = try await Shell.output([
            "bash", "-c",
            """
            (\(sending)) 2>/dev/null | openssl s_client -quiet -no_ign_eof -tls1_3 \
                -connect \(address) -cert \(directory.file("leaf.pem")) \
                -key \(directory.file("key.pem")) 2>/dev/null | head -c 4000
            """,
        ])
        return (answer, ContinuousClock().now - began)
    }

    @Test(
        "who trickles a head or a body is closed, and others are served meanwhile",
        arguments: [
            "printf 'GET /mesh/v1/status HTT'; for i in {1..40}; do printf x; sleep 0.25; done",
            """
            printf 'POST /mesh/v1/echo HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 100\\r\\n\\r\\n';
            for i in {1..40}; do printf x; sleep 0.25; done
            """,
        ])
    func trickle(sending: String) async throws {
        let (north, slow, honest) = (try Participant(), try Participant(), try Participant())
        try await withServer(
            north.identity, handler: RecordingHandler(), requestTimeout: .seconds(1)
        ) { server, address in
            await honest.client.setAddress(address, of: north.node)
            async let trickled = openssl(slow.identity, address, sending)
            try await eventually { server.connectedNodes.contains(slow.node) }
            #expect(await honest.client.outcome(of: north.node) == nil)
            try await eventually { !server.connectedNodes.contains(slow.node) }
            #expect(await honest.client.outcome(of: north.node) == nil)
            let (answer, _) = try await trickled
            #expect(!answer.contains("HTTP/1.1 200"))
        }
        await honest.client.shutdown()
    }

    @Test("huge and endless heads are refused before they take memory")
    func hugeHeads() async throws {
        let (north, huge, honest) = (try Participant(), try Participant(), try Participant())
        try await withServer(
            north.identity, handler: RecordingHandler(), requestTimeout: .seconds(2)
        ) { server, address in
            await honest.client.setAddress(address, of: north.node)
            for sending in [
                "printf 'GET / HTTP/1.1\\r\\nX: '; head -c 10000000 /dev/zero | tr '\\0' x",
                "printf 'GET /'; head -c 10000000 /dev/zero | tr '\\0' x",
                """
                printf 'GET / HTTP/1.1\\r\\n';
                for i in {1..20000}; do printf 'X%d: y\\r\\n' $i; done
                """,
            ] {
                let (answer, _) = try await openssl(huge.identity, address, sending)
                #expect(!answer.contains("HTTP/1.1 200"), "\(answer.prefix(100))")
                try await eventually { !server.connectedNodes.contains(huge.node) }
                #expect(await honest.client.outcome(of: north.node) == nil)
            }
        }
        await honest.client.shutdown()
    }

    @Test("who sends what is no HTTP is told so and closed, long before an idle peer would be")
    func malformedHead() async throws {
        let (north, fool) = (try Participant(), try Participant())
        try await withServer(north.identity, handler: RecordingHandler()) { server, address in
            let (answer, took) = try await openssl(
                fool.identity, address,
                """
                printf 'G\\x01RBAGE\\r\\n\\r\\n';
                for i in {1..80}; do sleep 0.5; echo || break; done
                """)
            #expect(!answer.contains("HTTP/1.1 200"), "\(answer.prefix(100))")
            // Half of the time after which the sender would give up by itself.
            #expect(took < .seconds(20))
            try await eventually { !server.connectedNodes.contains(fool.node) }
        }
    }

    @Test("after failures the wait doubles to its limit, with jitter over nine tenths of it")
    func backOff() {
        var generator = SystemRandomNumberGenerator()
        let backOff = BackOff(first: .milliseconds(500), last: .seconds(30))
        for failures in [1, 2, 3, 7, 8, 50] {
            let ceiling = min(
                Duration.milliseconds(500) * (1 << min(failures - 1, 16)), .seconds(30))
            let delays = (0..<200).map { _ in
                backOff.delay(after: failures, using: &generator)
            }
            #expect(delays.allSatisfy { $0 <= ceiling && $0 >= ceiling / 10 })
            // 200 draws that all miss the upper or the lower third are no jitter.
            #expect(delays.contains { $0 > ceiling * 2 / 3 })
            #expect(delays.contains { $0 < ceiling / 2 })
        }
    }
}

extension MeshClientError {
    /// The connection was closed or refused, not answered.
    fileprivate var isCutOff: Bool {
        switch self {
        case .connectionLost, .refusedByPeer, .unreachable: true
        default: false
        }
    }
}
