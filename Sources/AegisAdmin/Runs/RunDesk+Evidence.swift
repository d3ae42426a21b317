package import AegisAPI
import AegisCore
import AegisCrypto
import AegisProtocol
import AegisStore
import AegisTelemetry
import FoundationEssentials
package import Hummingbird
import NIOCore

extension RunDesk {
    /// Rounds or records that are in memory at once.
    private static let pageCount = 256

    /// The first `limit` records after `height`, of those from the founding to the run's last: with
    /// `genesis.cbor` they verify by themselves.
    package func certificates(
        _ name: String, after height: UInt64, limit: Int
    ) async throws -> [CertificateView] {
        guard let last = try await lastHeight(of: try await stored(name)), last > height else {
            return []
        }
        return try await database.commits(from: height + 1, through: last, limit: limit)
            .map(CertificateView.init)
    }

    /// The run's end, or a little further: what makes its end final. Nil before it has begun.
    private func lastHeight(of run: StoredRun) async throws -> UInt64? {
        guard run.startedHeight != nil else { return nil }
        guard let end = run.endedHeight else { return .max }
        return max(end, try await final(of: run)?.view.height ?? end)
    }

    private func final(of run: StoredRun) async throws -> StoredFinality? {
        guard let end = run.endedHeight else { return try await database.lastFinal() }
        return try await database.final(from: end)
    }

    /// What makes the run's end final; for a run that goes on, the last final height.
    package func finalCertificate(_ name: String) async throws -> CertificateView? {
        let run = try await stored(name)
        guard run.startedHeight != nil, let final = try await final(of: run) else { return nil }
        return CertificateView(
            height: final.view.height, digest: SHA256.digest(of: final.bytes).description, run: nil,
            round: nil,
            bytes: Data(final.bytes).base64EncodedString())
    }

    /// All that an auditor needs of a run, as one tar file: what was asked, the rounds, the
    /// founding, every commit record, the model.
    package func evidence(_ name: String) async throws -> ResponseBody {
        let run = try await view(name)
        let files = try await documents(of: run)
        let last = try await lastHeight(of: try await stored(name))
        let model = run.roundsCommitted > 0 ? try await modelBlob(name) : nil
        let time = Timestamp.now() / 1_000
        return ResponseBody { writer in
            for (file, bytes) in files {
                let entry = Tar.entry("\(run.name)/\(file)", bytes, modifiedAt: time)
                try await writer.write(ByteBuffer(bytes: entry))
            }
            var height: UInt64 = 0
            while let last, height < last {
                let page = try await database.commits(
                    from: height + 1, through: last, limit: Self.pageCount)
                guard let end = page.last?.height else { break }
                for record in page {
                    let file = "\(run.name)/certificates/\(record.height).cbor"
                    let entry = Tar.entry(file, record.bytes, modifiedAt: time)
                    try await writer.write(ByteBuffer(bytes: entry))
                }
                height = end
            }
            if let (digest, count) = model {
                let header = Tar.header(
                    "\(run.name)/model.safetensors", byteCount: count, modifiedAt: time)
                try await writer.write(ByteBuffer(bytes: header))
                var pieces = Pieces(reader: try blobs.reader(digest))
                while let piece = try pieces.next() { try await writer.write(piece) }
                try await writer.write(ByteBuffer(bytes: Tar.padding(count)))
            }
            try await writer.write(ByteBuffer(bytes: Tar.end))
            try await writer.finish(nil)
        }
    }

    private func documents(of run: RunView) async throws -> [(String, [UInt8])] {
        var run = run
        // Said in run.json either way.
        if run.state.isOver, run.final == nil, let height = run.modelHeight {
            run.final = try await observer.finality(of: height)?.view
        }
        guard let genesis = try await database.genesis()?.document else {
            throw Problem(.meshOpen)
        }
        var documents: [(String, [UInt8])] = [
            ("run.json", Array(try AegisAPI.encode(run, pretty: true)) + [10]),
            ("rounds.json", try await roundsDocument(run.id)),
            ("genesis.cbor", genesis),
        ]
        if let final = try await final(of: try await stored(run.id)) {
            documents.append(("final/\(final.view.height).cbor", final.bytes))
        }
        return documents
    }

    private func roundsDocument(_ name: String) async throws -> [UInt8] {
        var document = Array("[".utf8)
        var last = 0
        while true {
            let page = try await rounds(name, after: last, limit: Self.pageCount)
            guard let end = page.last?.round else { break }
            for round in page {
                document += Array((document.count > 1 ? ",\n" : "\n").utf8)
                document += Array(try AegisAPI.encode(round, pretty: true))
            }
            last = end
        }
        return document + Array("\n]\n".utf8)
    }
}

extension CertificateView {
    init(_ commit: StoredCommit) {
        self.init(
            height: commit.height, digest: commit.digest.description,
            run: commit.run?.description, round: commit.round,
            bytes: Data(commit.bytes).base64EncodedString())
    }
}
