import AegisAPI
import Foundation
import Glibc

/// New credentials as a folder: for curl, for a browser, and as a context of this program.
enum Credentials {
    static func issue(_ request: APIRequest, to folder: String, _ common: CommonOptions)
        async throws
    {
        // Before anything is issued: a key that can't be kept would be lost.
        guard mkdir(folder, 0o700) == 0 else {
            throw Failure(
                .cannotWrite, "\(folder) can't be made: \(String(cString: strerror(errno)))",
                hint: "choose a folder that is not there yet")
        }
        do {
            let made = try await common.withClient { client in
                (try await client.send(request, as: CredentialsView.self), client.url)
            }
            try write(made.0, url: made.1, to: folder)
            try report(made.0, folder, common)
        } catch {
            rmdir(folder)
            throw error
        }
    }

    private static func write(_ made: CredentialsView, url: String, to folder: String) throws {
        let context: JSONValue = .object([
            "url": .text(url), "ca": "ca.pem", "certificate": "certificate.pem", "key": "key.pem",
        ])
        guard let bundle = Data(base64Encoded: made.pkcs12) else {
            throw Failure(.internalError, "the PKCS#12 file is not in base64")
        }
        for (name, bytes) in [
            ("ca.pem", Data(made.authorityPem.utf8)),
            ("certificate.pem", Data(made.certificatePem.utf8)),
            ("key.pem", Data(made.privateKeyPem.utf8)), ("browser.p12", bundle),
            ("context.json", try AegisAPI.encodeDocument(context)),
        ] {
            let path = folder + "/" + name
            guard
                FileManager.default.createFile(
                    atPath: path, contents: bytes, attributes: [.posixPermissions: 0o600])
            else { throw Failure(.cannotWrite, "\(path) can't be written") }
        }
    }

    private static func report(
        _ made: CredentialsView, _ folder: String, _ common: CommonOptions
    ) throws {
        guard common.output == .text else {
            return Console.write(
                try Output.document(
                    try AegisAPI.encodeDocument(
                        .object([
                            "user": .text(made.user), "role": .text(made.role),
                            "fingerprint": .text(made.fingerprint),
                            "expires_at": .text(made.expiresAt), "folder": .text(folder),
                            "passphrase": .text(made.passphrase),
                        ])), common.output))
        }
        Console.write(
            """
            \(made.user) is \(made.role), until \(Output.time(made.expiresAt))

              context         aegis context add \(made.user) \(folder)/context.json
              for a browser   \(folder)/browser.p12
              its passphrase  \(made.passphrase)  (shown once, kept nowhere)

            """)
    }
}
