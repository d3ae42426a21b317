import CLearning

/// Threads that sleep until there is work for all of them. None waits by spinning, but for the few
/// microseconds that going to sleep would cost, so that a busy neighbour costs its share of the
/// processor and no more.
final class WorkerPool {
    let threads: Int
    private let pool: OpaquePointer?

    /// With fewer threads where the system gives no more.
    init(threads: Int) {
        pool = threads > 1 ? aegis_pool_create(threads - 1) : nil
        self.threads = pool == nil ? 1 : threads
    }

    deinit {
        if let pool { aegis_pool_destroy(pool) }
    }

    /// Calls `body` with 0 ..< `threads`, each on its own thread, and returns when all have.
    func forEachThread(_ body: (Int) -> Void) {
        guard let pool else { return body(0) }
        withoutActuallyEscaping(body) { body in
            var call = Call(body: body)
            withUnsafeMutablePointer(to: &call) { call in
                aegis_pool_run(
                    pool, threads,
                    { context, part in
                        context?.assumingMemoryBound(to: Call.self).pointee.body(part)
                    }, call)
            }
        }
    }

    /// Called in `forEachThread`, equally often on each thread: waits for all of them.
    func meet() {
        if let pool { aegis_pool_meet(pool) }
    }

    private struct Call {
        let body: (Int) -> Void
    }
}

extension Range<Int> {
    /// The `index`th of `count` parts of almost equal size, borders at multiples of `step`.
    func part(_ index: Int, of count: Int, step: Int = 1) -> Range<Int> {
        func border(_ index: Int) -> Int {
            index == count ? upperBound : lowerBound + self.count * index / count / step * step
        }
        return border(index)..<border(index + 1)
    }
}
