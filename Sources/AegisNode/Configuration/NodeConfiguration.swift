import AegisCore
import AegisIdentity
import Yams

/// The file `node.yaml` in a node's directory: what its owner decides.
package struct NodeConfiguration: Codable, Hashable, Sendable {
    /// The participant's name, as its token gave it.
    package var name: String
    /// host:port the mesh listener binds.
    package var listen: String
    /// host:port other nodes dial.
    package var advertise: String
    /// host:port of the admin's mesh listener; used until the mesh is founded.
    package var admin: String
    /// host:port of the plain listener for health and metrics; none where it is not given. Binds
    /// where the owner says, since it asks nobody who they are.
    package var monitor: String?
    package var datasets: [DatasetDeclaration]
    /// The file of the privacy ledgers, from the node's folder; `ledger.sqlite` in it where absent.
    /// Elsewhere, it outlasts the folder: a node that joins again goes on with it.
    package var ledger: String?
    /// Updates and models of so many past rounds stay on this disk, at least 3: `all` where every
    /// round's aggregate shall be computed again from this node's evidence, years later.
    package var keepRounds: KeepRounds?

    /// What `keep_rounds` says: a number or the word `all`.
    package enum KeepRounds: Hashable, Sendable, Codable {
        case all
        case last(Int)

        package init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let count = try? container.decode(Int.self), count >= 0 {
                self = .last(count)
            } else if (try? container.decode(String.self)) == "all" {
                self = .all
            } else {
                throw DecodingError.dataCorrupted(
                    .init(
                        codingPath: decoder.codingPath,
                        debugDescription: "a number of rounds, or all"))
            }
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .all: try container.encode("all")
            case .last(let count): try container.encode(count)
            }
        }
    }

    /// Nil: all.
    var roundsKept: Int? {
        switch keepRounds {
        case .all: nil
        case .last(let count): max(count, RunHistory.roundsKeptAtLeast)
        case nil: RunHistory.roundsKeptAtLeast
        }
    }
    /// What organisations' authorities have to do with this node's connections.
    package var tls: TLSDeclaration?
    /// Threads that training and measuring share; 1 where absent.
    package var threads: Int?

    package init(
        name: String, listen: String, advertise: String, admin: String,
        monitor: String? = nil, datasets: [DatasetDeclaration] = [], ledger: String? = nil,
        keepRounds: KeepRounds? = nil, threads: Int? = nil, tls: TLSDeclaration? = nil
    ) {
        self.tls = tls
        self.keepRounds = keepRounds
        self.name = name
        self.listen = listen
        self.advertise = advertise
        self.admin = admin
        self.monitor = monitor
        self.datasets = datasets
        self.ledger = ledger
        self.threads = threads
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case name, listen, advertise, admin, monitor, datasets, ledger, threads, tls
        case keepRounds = "keep_rounds"
    }

    package init(from decoder: any Decoder) throws {
        try UnknownKeys.refuse(in: decoder, known: CodingKeys.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decode(String.self, forKey: .name)
        listen = try container.decode(String.self, forKey: .listen)
        advertise = try container.decode(String.self, forKey: .advertise)
        admin = try container.decode(String.self, forKey: .admin)
        monitor = try container.decodeIfPresent(String.self, forKey: .monitor)
        datasets = try container.decodeIfPresent([DatasetDeclaration].self, forKey: .datasets) ?? []
        ledger = try container.decodeIfPresent(String.self, forKey: .ledger)
        keepRounds = try container.decodeIfPresent(KeepRounds.self, forKey: .keepRounds)
        threads = try container.decodeIfPresent(Int.self, forKey: .threads)
        tls = try container.decodeIfPresent(TLSDeclaration.self, forKey: .tls)
    }

    /// Throws `ConfigurationError` that names every fault found.
    package init(yaml: String) throws {
        do { self = try YAMLDecoder().decode(NodeConfiguration.self, from: yaml) } catch {
            throw ConfigurationError(faults: [Self.explain(error)])
        }
        let faults = self.faults
        guard faults.isEmpty else { throw ConfigurationError(faults: faults) }
    }

    package var yaml: String {
        get throws { try YAMLEncoder().encode(self) }
    }

    private var faults: [String] {
        var faults: [String] = []
        for (key, address) in [("listen", listen), ("advertise", advertise), ("admin", admin)]
        where MeshAddress(dialled: address) == nil {
            faults.append("\(key): \(address) is not host:port")
        }
        if let monitor, MeshAddress(dialled: monitor) == nil {
            faults.append("monitor: \(monitor) is not host:port")
        }
        if let threads, !(1...256).contains(threads) {
            faults.append("threads: needs 1 <= threads <= 256")
        }
        if Set(datasets.map(\.name)).count != datasets.count {
            faults.append("datasets: two have the same name")
        }
        return faults + datasets.flatMap(\.faults)
    }

    private static func explain(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        switch error {
        case .keyNotFound(let key, let context):
            return "\(path(context)): \(key.stringValue) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context),
            .dataCorrupted(let context):
            return "\(path(context)): \(context.debugDescription)"
        @unknown default:
            return "\(error)"
        }
    }

    private static func path(_ context: DecodingError.Context) -> String {
        context.codingPath.isEmpty
            ? "node.yaml" : context.codingPath.map(\.stringValue).joined(separator: ".")
    }
}

/// What is wrong with `node.yaml`, all of it.
package struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    package let faults: [String]
    package var description: String { faults.joined(separator: "; ") }
}

/// A key nobody reads is a typing error that would go unnoticed.
enum UnknownKeys {
    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    static func refuse(in decoder: any Decoder, known: [String]) throws {
        let container = try decoder.container(keyedBy: AnyKey.self)
        guard let key = container.allKeys.first(where: { !known.contains($0.stringValue) }) else {
            return
        }
        throw DecodingError.dataCorrupted(
            .init(
                codingPath: decoder.codingPath,
                debugDescription: "unknown key \(key.stringValue); known: "
                    + known.joined(separator: ", ")))
    }
}
