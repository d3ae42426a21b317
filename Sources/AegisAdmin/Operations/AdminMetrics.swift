import Synchronization

/// What the admin counts about itself, as Prometheus reads it (text format 0.0.4).
package final class AdminMetrics: Sendable {
    private struct Counts {
        var requests: [String: Int] = [:]
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
            counts.requests["method=\"\(method)\",status=\"\(status)\"", default: 0] += 1
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
    }

    func text(_ mesh: Mesh) -> String {
        var page = Page()
        let counts = counts.withLock { $0 }
        page.family("aegis_admin_requests_total", "counter", "Answered requests.")
        for (labels, count) in counts.requests.sorted(by: { $0.key < $1.key }) {
            page.sample("aegis_admin_requests_total", labels, "\(count)")
        }
        page.family("aegis_admin_request_seconds", "histogram", "Time to an answer.")
        var sum = 0
        for (index, bound) in Self.bounds.enumerated() {
            sum += counts.buckets[index]
            page.sample("aegis_admin_request_seconds_bucket", "le=\"\(bound)\"", "\(sum)")
        }
        sum += counts.buckets[Self.bounds.count]
        page.sample("aegis_admin_request_seconds_bucket", "le=\"+Inf\"", "\(sum)")
        page.sample("aegis_admin_request_seconds_sum", nil, "\(counts.seconds)")
        page.sample("aegis_admin_request_seconds_count", nil, "\(sum)")
        page.gauge("aegis_admin_event_streams", "Open event streams.", counts.streams)
        page.family(
            "aegis_admin_audit_file_failures_total", "counter",
            "Times the audit files could not be written.")
        page.sample("aegis_admin_audit_file_failures_total", nil, "\(counts.auditFileFailures)")
        page.gauge("aegis_admin_audit_records", "Records in the audit log.", mesh.auditRecords)
        page.gauge("aegis_mesh_height", "Commits of the mesh.", mesh.height)
        page.gauge(
            "aegis_mesh_fork", "1 if two certified values of one height were seen.",
            mesh.hasFork ? 1 : 0)
        page.nodes(mesh.nodes)
        page.family("aegis_run_round", "gauge", "Rounds committed in the active run.")
        if let run = mesh.activeRun {
            page.sample("aegis_run_round", "run=\(Page.quoted(run.name))", "\(run.round)")
        }
        return page.text
    }

    private struct Page {
        var text = ""

        mutating func family(_ name: String, _ kind: String, _ help: String) {
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
        }

        mutating func sample(_ name: String, _ labels: String?, _ value: String) {
            text += name + (labels.map { "{" + $0 + "}" } ?? "") + " " + value + "\n"
        }

        mutating func gauge(_ name: String, _ help: String, _ value: some BinaryInteger) {
            family(name, "gauge", help)
            sample(name, nil, "\(value)")
        }

        mutating func nodes(_ nodes: [Mesh.Node]) {
            family("aegis_node_up", "gauge", "Whether the node answered the last poll.")
            for node in nodes { sample(node, "aegis_node_up", node.isReachable ? "1" : "0") }
            family("aegis_node_height", "gauge", "Commits the node has.")
            for node in nodes { sample(node, "aegis_node_height", node.height.map { "\($0)" }) }
            family("aegis_node_resident_megabytes", "gauge", "Peak memory of the node.")
            for node in nodes {
                sample(
                    node, "aegis_node_resident_megabytes",
                    node.residentMegabytes.map { "\($0)" })
            }
            family("aegis_privacy_epsilon", "gauge", "Spent by a node's data set.")
            for node in nodes {
                for data in node.privacy {
                    sample(
                        "aegis_privacy_epsilon", Self.labels(node, data.dataset), "\(data.epsilon)")
                }
            }
            family("aegis_privacy_budget_epsilon", "gauge", "What its owner allows.")
            for node in nodes {
                for data in node.privacy {
                    sample(
                        "aegis_privacy_budget_epsilon", Self.labels(node, data.dataset),
                        "\(data.budget)")
                }
            }
        }

        private mutating func sample(_ node: Mesh.Node, _ name: String, _ value: String?) {
            guard let value else { return }
            sample(name, "node=\(Self.quoted(node.name))", value)
        }

        private static func labels(_ node: Mesh.Node, _ dataset: String) -> String {
            "node=\(quoted(node.name)),dataset=\(quoted(dataset))"
        }

        /// Backslash, quote and line end are escaped, as the format asks.
        static func quoted(_ text: String) -> String {
            var quoted = "\""
            for scalar in text.unicodeScalars {
                switch scalar {
                case "\\": quoted += "\\\\"
                case "\"": quoted += "\\\""
                case "\n": quoted += "\\n"
                default: quoted.unicodeScalars.append(scalar)
                }
            }
            return quoted + "\""
        }
    }
}
