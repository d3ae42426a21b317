import CAggregation
import Dispatch
import Synchronization

/// How a rule is computed; the result is the same for all of these.
package struct Execution: Hashable, Sendable {
    /// Threads to use, at least one.
    package var threads: Int
    package var instructions: Instructions

    package init(threads: Int = 1, instructions: Instructions = .here) {
        self.threads = max(1, threads)
        self.instructions = instructions
    }

    /// The instruction sets that the kernels are built for.
    package enum Instructions: Int, Hashable, Sendable, CaseIterable {
        case portable, avx2, avx512

        package static var here: Instructions {
            Instructions(rawValue: Int(aggregation_level_here().rawValue)) ?? .portable
        }
        /// What this machine can run.
        package static var available: [Instructions] {
            allCases.filter { $0.rawValue <= here.rawValue }
        }
    }

    var level: aggregation_level {
        switch instructions {
        case .portable: aggregation_portable
        case .avx2: aggregation_avx2
        case .avx512: aggregation_avx512
        }
    }

    /// Calls `body` once for every index below `count`, each on one of the threads; `worker` tells
    /// the threads apart. What the calls compute must not depend on each other.
    func forEach(_ count: Int, _ body: (_ worker: Int, _ index: Int) -> Void) {
        guard threads > 1, count > 1 else {
            for index in 0..<count { body(0, index) }
            return
        }
        let next = Atomic<Int>(0)
        // Every call gets an index of its own and the memory of its worker: nothing is shared that
        // one of them writes, and this function returns after the last of them.
        nonisolated(unsafe) let body = body
        DispatchQueue.concurrentPerform(iterations: min(threads, count)) { worker in
            while true {
                let index = next.add(1, ordering: .relaxed).oldValue
                guard index < count else { return }
                body(worker, index)
            }
        }
    }
}
