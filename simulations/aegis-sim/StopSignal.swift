import Foundation
import Synchronization

/// Asked to stop by Ctrl-C or `kill`: what runs ends its piece of work and reports. Asked again a
/// second later, the process ends at once.
enum StopSignal {
    private static let received = Atomic<Int32>(0)
    private static let receivedAt = Atomic<Int>(0)

    static func watch() {
        received.store(0, ordering: .relaxed)
        receivedAt.store(0, ordering: .relaxed)
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                // `timeout` sends two at once.
                let now = time(nil)
                if StopSignal.received.load(ordering: .relaxed) == 0 {
                    StopSignal.receivedAt.store(now, ordering: .relaxed)
                    StopSignal.received.store(number, ordering: .relaxed)
                } else if now > StopSignal.receivedAt.load(ordering: .relaxed) + 1 {
                    _exit(128 + number)
                }
            }
        }
    }

    /// Nil while nobody has asked.
    static var number: Int32? {
        let number = received.load(ordering: .relaxed)
        return number == 0 ? nil : number
    }

    static var isRaised: Bool { number != nil }

    /// What a shell reports of a process that such a signal ended.
    static var exitCode: Int32? { number.map { 128 + $0 } }
}
