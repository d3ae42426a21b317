package import AegisCore
import AegisTelemetry

/// All that handlers work with.
package struct Desks: Sendable {
    package let mesh: MeshID
    package let founding: FoundingDesk
    package let runs: RunDesk
    package let datasets: DatasetDesk
    package let users: UserDesk
    package let observer: MeshObserver
    package let feed: EventFeed
    package let metrics: AdminMetrics
    /// host:port of the mesh listener, which joiners are told.
    package let listen: String

    /// Answers that are the same for everybody.
    let answers = SnapshotCache<Reply>()

    var database: AdminDatabase { founding.database }

    /// Grows with each change of the store and each look at the mesh.
    var revision: UInt64 { database.revision &+ feed.revision }

    package init(
        mesh: MeshID, founding: FoundingDesk, runs: RunDesk, datasets: DatasetDesk,
        users: UserDesk, observer: MeshObserver, feed: EventFeed, metrics: AdminMetrics,
        listen: String
    ) {
        self.mesh = mesh
        self.founding = founding
        self.runs = runs
        self.datasets = datasets
        self.users = users
        self.observer = observer
        self.feed = feed
        self.metrics = metrics
        self.listen = listen
    }
}
