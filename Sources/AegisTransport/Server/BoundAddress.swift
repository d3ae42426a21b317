import AegisCore
import Synchronization

/// Where a server listens: set once, awaited by any number.
final class BoundAddress: Sendable {
    private struct State {
        var result: Result<MeshAddress, MeshServerError>?
        var waiting: [CheckedContinuation<Result<MeshAddress, MeshServerError>, Never>] = []
    }

    private let state = Mutex(State())

    var value: MeshAddress {
        get async throws(MeshServerError) {
            try await withCheckedContinuation { continuation in
                let result = state.withLock { state in
                    if state.result == nil { state.waiting.append(continuation) }
                    return state.result
                }
                if let result { continuation.resume(returning: result) }
            }.get()
        }
    }

    func set(_ address: MeshAddress) { settle(.success(address)) }
    func fail(_ error: MeshServerError) { settle(.failure(error)) }

    private func settle(_ result: Result<MeshAddress, MeshServerError>) {
        let waiting = state.withLock { state in
            if state.result == nil { state.result = result }
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume(returning: result) }
    }
}
