import AegisAPI
import AegisCore
import AegisIdentity
import AegisProtocol
import AegisTelemetry
import AegisTransport
import Logging
import NIOCore

/// What the plain listener answers: `/healthz` (the process serves), `/readyz` (it can take part in
/// a decision now, or why not), `/metrics`. No identifiers beyond participants' names.
struct NodeMonitor: Sendable {
    let status: StatusBoard
    let membership: MeshMembership
    let leaf: LeafInUse
    let readiness: Readiness

    /// Nil where the owner has named no address.
    func server(
        listening address: String?, group: any EventLoopGroup, logger: Logger
    ) throws -> MonitorServer? {
        try address.map {
            try MonitorServer(
                listening: $0, respond: { response(to: $0) }, eventLoopGroup: group, logger: logger)
        }
    }

    func response(to path: String) -> MeshResponse {
        switch path {
        case "/healthz": return .text("ok\n")
        case "/readyz":
            let reasons = readiness.reasonsAgainst
            return reasons.isEmpty
                ? .text("ready\n")
                : .text(reasons.map { "not ready: \($0)\n" }.joined(), status: 503)
        case "/metrics":
            return MeshResponse(
                status: 200, contentType: PrometheusText.contentType, body: Array(metrics.utf8))
        default:
            return .problem(404, type: "not-found", "there are /healthz, /readyz and /metrics")
        }
    }

    private var metrics: String {
        let status = status.current
        var metrics = PrometheusText()
        metrics.add(
            "aegis_node_info", .gauge, help: "Always 1; who and which version this is.",
            [.init(1, labels: ["name": status.name, "version": status.version])])
        metrics.add(
            "aegis_ready", .gauge, help: "1 where /readyz says ready.",
            readiness.reasonsAgainst.isEmpty ? 1 : 0)
        metrics.add(
            "aegis_height", .gauge, help: "Decisions of the mesh that this node has.",
            Double(status.height))
        metrics.add(
            "aegis_view", .gauge, help: "Election attempt at the height that is being decided.",
            Double(status.view))
        metrics.add(
            "aegis_participants", .gauge, help: "Participants of the roster.",
            Double(membership.roster.count))
        metrics.add(
            "aegis_participants_away", .gauge,
            help: "Participants that don't answer.", Double(readiness.awayCount))
        metrics.add(
            "aegis_tls_expiry_timestamp_seconds", .gauge,
            help: "When this node's TLS key expires if it is not renewed before.",
            Double(leaf.leaf.binding.notAfter))
        addRun(status, to: &metrics)
        addPrivacy(status, to: &metrics)
        metrics.add(
            "aegis_refusals_total", .counter, help: "What this node refused, by who gave it.",
            Dictionary(grouping: status.refusals, by: \.peer).sorted { $0.key < $1.key }.map {
                .init(
                    Double($0.value.reduce(0) { $0 + $1.count }), labels: ["peer": $0.key])
            })
        ProcessFigures.now.write(to: &metrics)
        return metrics.text
    }

    private func addRun(_ status: NodeStatus, to metrics: inout PrometheusText) {
        metrics.add(
            "aegis_run_active", .gauge, help: "1 while a run goes on.", status.run == nil ? 0 : 1)
        if let run = status.run {
            metrics.add(
                "aegis_run_round", .gauge, help: "Round that the active run is in.",
                [.init(Double(run.round), labels: ["run": run.name])])
            metrics.add(
                "aegis_training_progress_ratio", .gauge, help: "Local training of the round done.",
                [.init(run.progress, labels: ["run": run.name])])
        }
        guard let last = status.rounds.last else { return }
        metrics.add(
            "aegis_round_duration_seconds", .gauge,
            help: "The last round, from its start to its commit here.", last.seconds)
        metrics.add(
            "aegis_model_accuracy_ratio", .gauge,
            help: "The last committed model on this node's test records.", last.accuracy)
        metrics.add(
            "aegis_model_loss", .gauge,
            help: "The last committed model on this node's test records.", last.loss)
    }

    private func addPrivacy(_ status: NodeStatus, to metrics: inout PrometheusText) {
        metrics.add(
            "aegis_privacy_epsilon", .gauge, help: "Spent of a data set's budget.",
            status.privacy.map { .init($0.epsilon, labels: ["dataset": $0.dataset]) })
        metrics.add(
            "aegis_privacy_epsilon_budget", .gauge, help: "What a data set's owner allows.",
            status.privacy.map { .init($0.budgetEpsilon, labels: ["dataset": $0.dataset]) })
    }
}
