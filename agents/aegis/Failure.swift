package import AegisAPI

/// What a command ends with, by the numbers of `sysexits.h` where there is one (docs/CLI.md).
package enum ExitCode: Int32, CaseIterable, Sendable {
    case success = 0
    case failure = 1
    /// `run watch`: the run failed.
    case runFailed = 10
    /// `run watch`: the run was stopped before its last round.
    case runStopped = 11
    case usage = 64
    /// What was given can't be used: a fault in the run file, a state that forbids it.
    case invalidInput = 65
    case notFound = 66
    case adminUnreachable = 69
    case internalError = 70
    case cannotWrite = 73
    case timedOut = 75
    case notPermitted = 77
    case badContext = 78
    case interrupted = 130
}

/// Why a command failed and what its user can do: `aegis: error: …`, `aegis: hint: …`.
package struct Failure: Error, Sendable, Equatable {
    package let code: ExitCode
    package let message: String
    package let details: [String]
    package let hint: String?

    package init(
        _ code: ExitCode, _ message: String, details: [String] = [], hint: String? = nil
    ) {
        self.code = code
        self.message = message
        self.details = details
        self.hint = hint
    }

    /// What the admin answered, in this program's words.
    package init(_ problem: Problem) {
        code = Self.code(of: problem)
        message = problem.detail.map { problem.title + ": " + $0 } ?? problem.title
        details = (problem.faults ?? []).map { $0.field + ": " + $0.message }
        hint = problem.hint ?? Self.hint(for: problem)
    }

    package var text: String {
        var lines = ["aegis: error: " + message]
        lines += details.map { "  " + $0 }
        if let hint { lines.append("aegis: hint: " + hint) }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func code(of problem: Problem) -> ExitCode {
        switch problem.status {
        case 401, 403: .notPermitted
        case 404: .notFound
        case 429: .timedOut
        case 507: .cannotWrite
        case 400...499: .invalidInput
        default: .internalError
        }
    }

    private static func hint(for problem: Problem) -> String? {
        let kind = Problem.Kind.allCases.first { $0.type == problem.type }
        switch kind {
        case .invalidRequest: return "docs/RUN.md lists every field of a run and its range"
        case .meshOpen: return "close the founding with `aegis mesh found`"
        case .noParticipants: return "make a token with `aegis token create --name NAME`"
        case .nameTaken: return "choose another name"
        case .runActive: return "wait for it or stop it: `aegis run list`"
        case .notFound: return "see `aegis run list`, `aegis node list`"
        case .forbidden: return "ask an administrator for the role this needs"
        case .internalError:
            return "the admin's log has the reason, by request id "
                + (problem.requestID ?? "(none)")
        default: return nil
        }
    }
}
