import CSodium

/// A secret outside the heap: guard pages around it, locked against swapping where the system
/// allows it, left out of core dumps, read-only once written, wiped when it goes. It neither
/// copies nor prints.
///
/// `@unchecked Sendable`: the pointer is to memory that only `init` writes and only `deinit`
/// frees; in between it is read-only by page protection, so any number of tasks may read it.
@safe package struct SecretBytes: ~Copyable, @unchecked Sendable {
    package let count: Int
    private let start: UnsafeMutablePointer<UInt8>

    /// `write` sets all `count` bytes; they hold nothing useful before.
    @safe package init(count: Int, write: (UnsafeMutablePointer<UInt8>) -> Void) {
        Sodium.ready
        guard let memory = unsafe sodium_malloc(max(count, 1)) else {
            fatalError("no memory for a secret of \(count) bytes")
        }
        self.count = count
        unsafe start = memory.bindMemory(to: UInt8.self, capacity: count)
        unsafe write(start)
        let protected = unsafe sodium_mprotect_readonly(memory)
        precondition(protected == 0, "the pages of a secret can't be protected")
    }

    /// Takes over bytes that are secret already; the caller's array is wiped.
    package init(consuming bytes: inout [UInt8]) {
        self.init(count: bytes.count) { start in
            unsafe start.update(from: bytes, count: bytes.count)
        }
        wipe(&bytes)
    }

    package static func random(_ count: Int) -> SecretBytes {
        SecretBytes(count: count) { unsafe randombytes_buf($0, count) }
    }

    /// Lends the `count` bytes to C.
    @safe package borrowing func withPointer<Result: ~Copyable, Failure: Error>(
        _ body: (UnsafePointer<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe body(UnsafePointer(start))
    }

    deinit { unsafe sodium_free(start) }
}

/// Overwrites bytes that held a secret. The optimiser can't remove it.
package func wipe(_ bytes: inout [UInt8]) {
    let count = bytes.count
    unsafe sodium_memzero(&bytes, count)
}
