import AegisTelemetry
import Synchronization

/// What the admin counts about itself, as Prometheus reads it (text format 0.0.4).
package final class AdminMetrics: Sendable {
    private struct Answer: Hashable, Comparable {
        let method: String
        let status: Int

        static func < (one: Answer, other: Answer) -> Bool {
            (one.method, one.status) < (other.method, other.status)
        }
    }

    private struct Counts {
        var requests: [Answer: Int] = [:]
        var buckets = [Int](repeating: 0, count: AdminMetrics.bounds.count + 1)
        var seconds = 0.0
        var streams = 0
        var auditFileFailures = 0
    }

    private static let bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]

    private let counts = Mutex(Counts())

    package init() {}

    func answered(method: String, status: Int, seconds: Double) {
        counts.withLock { counts in
            counts.requests[Answer(method: method, status: status), default: 0] += 1
            let index = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
            counts.buckets[index] += 1
            counts.seconds += seconds
        }
    }

    func streamOpened() { counts.withLock { $0.streams += 1 } }
    func streamClosed() { counts.withLock { $0.streams -= 1 } }
    func auditFileFailed() { counts.withLock { $0.auditFileFailures += 1 } }

    /// The state of the mesh that is shown beside the counts.
    package struct Mesh: Sendable {
        package struct Node: Sendable {
            let name: String
            let isReachable: Bool
            let height: UInt64?
            let residentMegabytes: Double?
            let privacy: [(dataset: String, epsilon: Double, budget: Double)]
        }

        let height: UInt64
        let hasFork: Bool
        let nodes: [Node]
        let activeRun: (name: String, round: Int)?
        let auditRecords: Int64
        let auditWitnessed: Int64
    }

    func text(_ mesh: Mesh) -> String {
        var page = PrometheusText()
        let counts = counts.withLock { $0 }
        page.add(
            "aegis_admin_requests_total", .counter, help: "Answered requests.",
            counts.requests.sorted { $0.key < $1.key }.map { request, count in
                .init(
                    Double(count),
                    labels: ["method": request.method, "status": "\(request.status)"])
            })
        page.addHistogram(
            "aegis_admin_request_seconds", help: "Time to an answer.", bounds: Self.bounds,
            counts: counts.buckets, sum: counts.seconds)
        page.add(
            "aegis_admin_event_streams", .gauge, help: "Open event streams.",
            Double(counts.streams))
        page.add(
            "aegis_admin_audit_file_failures_total", .counter,
            help: "Times the audit files could not be written.", Double(counts.auditFileFailures))
        page.add(
            "aegis_admin_audit_records", .gauge, help: "Records in the audit log.",
            Double(mesh.auditRecords))
        page.add(
            "aegis_admin_audit_witnessed_records", .gauge,
            help: "Records of the audit log up to the newest that the mesh has signed.",
            Double(mesh.auditWitnessed))
        page.add(
            "aegis_mesh_height", .gauge, help: "Commits of the mesh.", Double(mesh.height))
        page.add(
            "aegis_mesh_fork", .gauge, help: "1 if two certified values of one height were seen.",
            mesh.hasFork ? 1 : 0)
        Self.add(mesh.nodes, to: &page)
        page.add(
            "aegis_run_round", .gauge, help: "Rounds committed in the active run.",
            mesh.activeRun.map { [.init(Double($0.round), labels: ["run": $0.name])] } ?? [])
        return page.text
    }

    private static func add(_ nodes: [Mesh.Node], to page: inout PrometheusText) {
        func add(_ name: String, _ help: String, _ value: (Mesh.Node) -> Double?) {
            page.add(
                name, .gauge, help: help,
                nodes.compactMap { node in
                    value(node).map { .init($0, labels: ["node": node.name]) }
                })
        }
        add("aegis_node_up", "Whether the node answered the last poll.") {
            $0.isReachable ? 1 : 0
        }
        add("aegis_node_height", "Commits the node has.") { $0.height.map { Double($0) } }
        add("aegis_node_resident_megabytes", "Peak memory of the node.") { $0.residentMegabytes }
        func add(
            _ name: String, _ help: String,
            ofEach value: ((dataset: String, epsilon: Double, budget: Double)) -> Double
        ) {
            page.add(
                name, .gauge, help: help,
                nodes.flatMap { node in
                    node.privacy.map { data in
                        .init(value(data), labels: ["node": node.name, "dataset": data.dataset])
                    }
                })
        }
        add("aegis_privacy_epsilon", "Spent by a node's data set.", ofEach: \.epsilon)
        add("aegis_privacy_budget_epsilon", "What its owner allows.", ofEach: \.budget)
    }
}
