import Foundation
import Synchronization

/// Asked to stop by Ctrl-C or `kill`: what runs ends its piece of work and reports. Asked a second
/// time, the process ends at once.
enum StopSignal {
    private static let received = Atomic<Int32>(0)

    static func watch() {
        received.store(0, ordering: .relaxed)
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                StopSignal.received.store(number, ordering: .relaxed)
                signal(number, SIG_DFL)
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
