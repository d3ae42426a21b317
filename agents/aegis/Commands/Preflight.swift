import AegisAPI
package import ArgumentParser
import Foundation
import Glibc
import NIOHTTP1
import NIOSSL

package struct Preflight: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "preflight",
        abstract: "Checks certificates, clock, disk, ports, peers and limits, and says what to do.",
        discussion: """
            Ends with 1 where something must be done first.

            Example:
              aegis preflight
              aegis preflight --dir /var/lib/aegis --listen 0.0.0.0:8501 --offline
            """)

    @Option(help: "Where the node or admin keeps its data.", completion: .directory)
    package var dir: String = "."
    @Option(help: "host:port that a node or admin on this machine will listen on.")
    package var listen: [String] = []
    @Flag(help: "Ask no admin.") package var offline = false
    @OptionGroup package var common: CommonOptions

    package init() {}

    package enum State: String, Sendable { case ok, warning, failure }

    package struct Finding: Sendable, Equatable {
        package let check: String
        package let state: State
        package let detail: String
        package let advice: String?

        package init(
            _ check: String, _ state: State, _ detail: String, advice: String? = nil
        ) {
            self.check = check
            self.state = state
            self.detail = detail
            self.advice = advice
        }
    }

    package func run() async throws {
        var findings = [LocalChecks.disk(dir), LocalChecks.memoryLock, LocalChecks.openFiles]
        findings += listen.map(LocalChecks.port)
        if !offline { findings += await adminChecks() }
        let failed = findings.contains { $0.state == .failure }
        if common.output == .text {
            Console.write(Self.text(findings))
        } else {
            let items = findings.map { finding -> JSONValue in
                .object([
                    "check": .text(finding.check), "state": .text(finding.state.rawValue),
                    "detail": .text(finding.detail),
                    "advice": finding.advice.map { .text($0) } ?? .null,
                ])
            }
            Console.write(
                try Output.document(
                    try AegisAPI.encodeDocument(.object(["items": .array(items)])),
                    common.output))
        }
        if failed { throw ArgumentParser.ExitCode(1) }
    }

    package static func text(_ findings: [Finding]) -> String {
        let table = Table(
            [.init("CHECK"), .init("STATE"), .init("FOUND", cutTo: 30)],
            rows: findings.map { [$0.check, $0.state.rawValue, $0.detail] }
        ).text(width: Console.columns)
        let advice = findings.compactMap { finding in
            finding.advice.map { "\(finding.check): \($0)\n" }
        }
        return table + (advice.isEmpty ? "" : "\n" + advice.joined())
    }

    private func adminChecks() async -> [Finding] {
        let context: Context
        do {
            context = try Context(
                path: common.context, environment: ProcessInfo.processInfo.environment)
        } catch {
            return [Finding("context", .failure, error.message, advice: error.hint)]
        }
        var findings = [
            Finding("context", .ok, context.url), LocalChecks.certificate(context),
            LocalChecks.keyFile(context.keyFile),
        ]
        do {
            findings += try await AdminClient.with(context) { try await remoteChecks($0) }
        } catch let failure as Failure {
            findings.append(Finding("admin", .failure, failure.message, advice: failure.hint))
        } catch {
            findings.append(Finding("admin", .failure, "\(error)"))
        }
        return findings
    }

    private func remoteChecks(_ client: AdminClient) async throws -> [Finding] {
        let asked = Date()
        let (bytes, headers) = try await client.sendForHeaders(.get("/whoami"))
        let took = Date().timeIntervalSince(asked)
        let me = try AegisAPI.decode(PrincipalView.self, from: bytes)
        var findings = [
            Finding(
                "admin", .ok,
                "answers in \(Int((took * 1_000).rounded())) ms; \(me.name) is \(me.role)")
        ]
        if let theirs = headers.first(name: "date").flatMap(LocalChecks.date) {
            findings.append(LocalChecks.clock(ahead: asked.timeIntervalSince(theirs)))
        }
        do {
            let nodes = try await client.send(
                .get("/participants"), as: Items<ParticipantView>.self
            ).items
            let silent = nodes.filter { !$0.reachable }.map(\.name)
            findings.append(
                silent.isEmpty
                    ? Finding("peers", .ok, "\(Output.plural(nodes.count, "node")), all answer")
                    : Finding(
                        "peers", .warning, silent.joined(separator: ", ") + " silent",
                        advice: "start them, or check the route to their address"))
        } catch let failure as Failure where failure.code == .notPermitted {
            findings.append(Finding("peers", .ok, "not for a \(me.role) to see"))
        }
        return findings
    }
}

/// What can be found out without asking anybody.
enum LocalChecks {
    static func disk(_ path: String) -> Preflight.Finding {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else {
            return .init("disk", .failure, "\(path) can't be looked at", advice: "make it first")
        }
        let free = (UInt64(status.f_bavail) * UInt64(status.f_frsize)) >> 20
        return .init(
            "disk", free < 512 ? .failure : free < 4_096 ? .warning : .ok, "\(free) MiB free",
            advice: free < 4_096 ? "free some: models, updates and logs need a few GiB" : nil)
    }

    /// RLIMIT_MEMLOCK, which Swift doesn't import.
    private static let memoryLockResource: __rlimit_resource_t = 8

    static var memoryLock: Preflight.Finding {
        var limit = rlimit()
        getrlimit(memoryLockResource, &limit)
        let unlimited = limit.rlim_cur == rlim_t.max
        let kibibytes = limit.rlim_cur >> 10
        return .init(
            "memory lock", unlimited || kibibytes >= 64 ? .ok : .warning,
            unlimited ? "unlimited" : "\(kibibytes) KiB",
            advice: unlimited || kibibytes >= 64
                ? nil : "raise it with `ulimit -l 64`: keys are kept in locked memory")
    }

    static var openFiles: Preflight.Finding {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return .init(
            "open files", limit.rlim_cur < 1_024 ? .warning : .ok, "\(limit.rlim_cur)",
            advice: limit.rlim_cur < 1_024 ? "raise it with `ulimit -n 4096`" : nil)
    }

    static func port(_ address: String) -> Preflight.Finding {
        let name = "port \(address)"
        guard let colon = address.lastIndex(of: ":"),
            let port = UInt16(address[address.index(after: colon)...])
        else { return .init(name, .failure, "is not host:port") }
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var yes: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var name4 = sockaddr_in()
        name4.sin_family = sa_family_t(AF_INET)
        name4.sin_port = port.bigEndian
        let bound = withUnsafePointer(to: &name4) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return bound == 0
            ? .init(name, .ok, "free")
            : .init(
                name, .failure, String(cString: strerror(errno)),
                advice: "free it, or choose another with --listen")
    }

    static func certificate(_ context: Context) -> Preflight.Finding {
        guard let certificate = try? NIOSSLCertificate.fromPEMFile(context.certificateFile).first
        else {
            return .init(
                "certificate", .failure, "\(context.certificateFile) can't be read",
                advice: "ask an administrator for new credentials")
        }
        let days = Int((Double(certificate.notValidAfter) - Date().timeIntervalSince1970) / 86_400)
        let advice = "renew it: aegis user renew --to DIR"
        if days < 0 { return .init("certificate", .failure, "expired", advice: advice) }
        return .init(
            "certificate", days < 30 ? .warning : .ok, "good for \(Output.plural(days, "day"))",
            advice: days < 30 ? advice : nil)
    }

    static func keyFile(_ path: String) -> Preflight.Finding {
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
            let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue
        else { return .init("key file", .failure, "\(path) can't be read") }
        return mode & 0o077 == 0
            ? .init("key file", .ok, "readable by its owner only")
            : .init(
                "key file", .warning, "open to other users", advice: "chmod 600 \(path)")
    }

    static func clock(ahead seconds: Double) -> Preflight.Finding {
        let off = abs(seconds)
        return .init(
            "clock", off < 5 ? .ok : off < 60 ? .warning : .failure,
            off < 2 ? "agrees with the admin's" : "\(Int(off)) s from the admin's",
            advice: off < 5 ? nil : "synchronise it: tokens and commands expire by it")
    }

    /// `Tue, 24 Nov 2026 21:55:05 GMT`.
    static func date(_ text: String) -> Date? {
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        let parts = text.split { " :".contains($0) }
        guard parts.count == 8, let month = months.firstIndex(of: String(parts[2])) else {
            return nil
        }
        var components = DateComponents()
        components.timeZone = TimeZone(identifier: "GMT")
        components.year = Int(parts[3])
        components.month = month + 1
        components.day = Int(parts[1])
        components.hour = Int(parts[4])
        components.minute = Int(parts[5])
        components.second = Int(parts[6])
        return Calendar(identifier: .gregorian).date(from: components)
    }
}
