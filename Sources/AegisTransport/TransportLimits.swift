package import NIOCore

/// What the transport grants a peer, each with its reason.
package enum TransportLimits {
    /// A head is a few hundred bytes.
    package static let headerBytesMax = 16 << 10
    /// A handshake takes two round trips; whoever is slower holds a socket for nothing.
    package static let handshakeTimeout = TimeAmount.seconds(10)
    /// Longer than a client keeps an idle connection, so that a client never writes into one that
    /// the server is closing.
    package static let serverIdleTimeout = TimeAmount.seconds(90)
    package static let clientIdleTimeout = TimeAmount.seconds(50)
    /// Every participant with one control and two bulk connections, twice.
    package static let connectionsMax = 192
    /// Probes and scrapers of one host.
    package static let monitorConnectionsMax = 32
    /// A client keeps at most four; the rest is room for a peer that restarts or rotates its key.
    package static let connectionsPerPeerMax = 16
    /// Bounds a peer's share of memory to `blobTransfersPerPeerMax × blobChunkBytes`.
    package static let blobTransfersPerPeerMax = 4
    package static let blobChunkBytes = 128 << 10
    /// A request that isn't a batch of statements: joining, signatures.
    package static let requestBytesMax = 1 << 20
    /// From the first byte of a request to its last. A batch of 4 MiB takes a third of it at
    /// 1 Mbit/s; whoever is slower trickles.
    package static let requestTimeout = TimeAmount.seconds(90)
    /// An honest peer sends one request after the other, mostly a batch of statements and a few
    /// blobs a round.
    package static let requestsPerSecond = 200
    package static let requestsBurst = 1_000
    /// Requests beyond that, and bodies that can't be read: so many in so long a time, and the
    /// peer is cut off for a while.
    package static let strikesMax = 64
    package static let strikesForgotten = TimeAmount.seconds(60)
    package static let cutOffTime = TimeAmount.seconds(30)
    package static let connectTimeout = TimeAmount.seconds(3)
    /// How long a peer may take to say goodbye. A dead one never does, and a node that stops would
    /// wait for it.
    package static let closeTimeout = TimeAmount.milliseconds(500)
    /// How long an answer to what is no HTTP has to leave before the connection is closed.
    package static let lastAnswer = TimeAmount.milliseconds(100)
    /// How long requests under way at a stop may take before their connections are closed.
    package static let lastRequests = Duration.milliseconds(500)
    package static let callTimeout = TimeAmount.seconds(10)
    /// A transfer that brings nothing for so long goes on with another holder.
    package static let readTimeout = TimeAmount.seconds(20)
}
