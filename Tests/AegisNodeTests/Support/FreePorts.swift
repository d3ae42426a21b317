import Glibc
import Synchronization
import TestFolders

/// Ports of the loopback interface that nobody uses: below those that the kernel gives to outgoing
/// connections, and never the same twice in this process.
enum FreePorts {
    private static let taken = Mutex<Set<UInt16>>([])

    static func take(_ count: Int) throws -> [Int] {
        try taken.withLock { taken in
            var ports: [Int] = []
            for _ in 0..<2_000 where ports.count < count {
                let port = UInt16.random(in: 20_000..<32_000)
                guard !taken.contains(port), isFree(port) else { continue }
                taken.insert(port)
                ports.append(Int(port))
            }
            guard ports.count == count else { throw SystemError(errno: EADDRINUSE) }
            return ports
        }
    }

    private static func isFree(_ port: UInt16) -> Bool {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { return false }
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
