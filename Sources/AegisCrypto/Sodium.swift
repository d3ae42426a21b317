import CSodium

/// libsodium, initialised once for the process. Every entry of this module touches `ready` first.
enum Sodium {
    static let ready: Void = {
        precondition(sodium_init() >= 0, "libsodium finds no source of randomness")
    }()
}

/// Bytes from the system's generator.
package func randomBytes(_ count: Int) -> [UInt8] {
    Sodium.ready
    var bytes = [UInt8](repeating: 0, count: count)
    unsafe randombytes_buf(&bytes, count)
    return bytes
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
package func equalInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    return unsafe sodium_memcmp(left, right, left.count) == 0
}
