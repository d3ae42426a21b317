import AegisCore
import AegisCrypto
import COpenSSL

package enum PKCS12Error: Error, Hashable, Sendable {
    case unreadableCertificate
    case unreadableKey
    case invalidPassphrase
    /// What libcrypto said.
    case failed(code: UInt)
}

/// A user's certificate and key in one file, as browsers import them (RFC 7292): AES-256-CBC under
/// PBKDF2 with HMAC-SHA-256, and a MAC with SHA-256. From libcrypto, since BoringSSL writes a MAC
/// with SHA-1 and 2,048 rounds.
package enum PKCS12 {
    /// What OWASP's password storage sheet asks of PBKDF2-HMAC-SHA-256, and NSS's own default.
    package static let iterations = 600_000

    /// 100 bits in four groups, as people can copy them: `abcde-fghij-klmno-pqrst`.
    package static func makePassphrase() -> String {
        let text = Base32.encode(randomBytes(13)).prefix(20)
        return stride(from: 0, to: 20, by: 5)
            .map { String(text.dropFirst($0).prefix(5)) }
            .joined(separator: "-")
    }

    package static func encode(
        _ issued: IssuedCertificate, authorityDER: [UInt8], friendlyName: String,
        passphrase: String
    ) throws(PKCS12Error) -> [UInt8] {
        guard !passphrase.isEmpty, !passphrase.utf8.contains(0), !friendlyName.utf8.contains(0)
        else { throw .invalidPassphrase }
        let certificate = try OpenCertificate(der: issued.der)
        let authority = try OpenCertificate(der: authorityDER)
        let key = try OpenKey(der: issued.privateKeyDER)
        let bundle = try OpenBundle(
            certificate: certificate, key: key, authority: authority,
            friendlyName: friendlyName, passphrase: passphrase)
        return try bundle.encoded(passphrase: passphrase)
    }
}

/// libcrypto's objects all come as one opaque pointer: each in a type of its own that frees it.
private struct OpenCertificate: ~Copyable {
    let pointer: OpaquePointer

    init(der: [UInt8]) throws(PKCS12Error) {
        let pointer = der.withUnsafeBufferPointer { buffer in
            var start = buffer.baseAddress
            return d2i_X509(nil, &start, buffer.count)
        }
        guard let pointer else { throw .unreadableCertificate }
        self.pointer = pointer
    }

    deinit { X509_free(pointer) }
}

private struct OpenKey: ~Copyable {
    let pointer: OpaquePointer

    init(der: [UInt8]) throws(PKCS12Error) {
        let pointer = der.withUnsafeBufferPointer { buffer in
            var start = buffer.baseAddress
            return d2i_AutoPrivateKey(nil, &start, buffer.count)
        }
        guard let pointer else { throw .unreadableKey }
        self.pointer = pointer
    }

    deinit { EVP_PKEY_free(pointer) }
}

private struct OpenBundle: ~Copyable {
    let pointer: OpaquePointer

    init(
        certificate: borrowing OpenCertificate, key: borrowing OpenKey,
        authority: borrowing OpenCertificate, friendlyName: String, passphrase: String
    ) throws(PKCS12Error) {
        guard let chain = OPENSSL_sk_new_null() else { throw .failed(code: ERR_get_error()) }
        // The stack holds a pointer to the authority; the authority outlives it.
        defer { OPENSSL_sk_free(chain) }
        guard OPENSSL_sk_push(chain, UnsafeRawPointer(authority.pointer)) > 0 else {
            throw .failed(code: ERR_get_error())
        }
        // MAC count −1: none yet, since PKCS12_create leaves the MAC's hash to its version.
        guard
            let bundle = PKCS12_create(
                passphrase, friendlyName, key.pointer, certificate.pointer, chain,
                NID_aes_256_cbc, NID_aes_256_cbc, Int32(PKCS12.iterations), -1, 0)
        else { throw .failed(code: ERR_get_error()) }
        pointer = bundle
    }

    borrowing func encoded(passphrase: String) throws(PKCS12Error) -> [UInt8] {
        let rounds = Int32(PKCS12.iterations)
        guard PKCS12_set_mac(pointer, passphrase, -1, nil, 0, rounds, EVP_sha256()) == 1 else {
            throw .failed(code: ERR_get_error())
        }
        let count = i2d_PKCS12(pointer, nil)
        guard count > 0 else { throw .failed(code: ERR_get_error()) }
        return [UInt8](unsafeUninitializedCapacity: Int(count)) { buffer, initialized in
            var start = buffer.baseAddress
            initialized = Int(max(i2d_PKCS12(pointer, &start), 0))
        }
    }

    deinit { PKCS12_free(pointer) }
}
