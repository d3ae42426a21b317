package import AegisAPI
package import ArgumentParser

package struct MeshCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "mesh",
        abstract: "Founds the mesh and shows its state.",
        subcommands: [MeshFound.self, MeshShow.self, MeshMembers.self])

    package init() {}
}

package struct MeshFound: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "found",
        abstract: "Closes the founding: everyone who joined signs the first roster.",
        discussion: "Every founder must be running. Can be repeated until all have signed.\n\n"
            + "Example:\n  aegis mesh found --timeout 60")

    @Option(help: "Seconds to wait for the founders' signatures.")
    package var timeout: Int = 60

    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        try await common.withClient { client in
            let clock = ContinuousClock()
            let end = clock.now + .seconds(max(0, timeout))
            var mesh = try await client.send(
                .post("/mesh/found", .object([:])), as: MeshView.self)
            while mesh.state != .founded {
                guard clock.now < end else { throw Self.timedOut(mesh, after: timeout) }
                try await clock.sleep(for: .milliseconds(200))
                mesh = try await client.send(.get("/mesh"), as: MeshView.self)
            }
            try MeshShow.write(mesh, common.output)
        }
    }

    package static func timedOut(_ mesh: MeshView, after seconds: Int) -> Failure {
        Failure(
            .timedOut,
            "the genesis is not signed by everybody after \(seconds) s; waiting for "
                + mesh.waitingFor.joined(separator: ", "),
            hint: "start them with `aegis-node run --dir DIR`, then repeat `aegis mesh found`")
    }
}

package struct MeshShow: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows the mesh: its id, members, quorum and height.",
        discussion: "Example:\n  aegis mesh show")

    @OptionGroup package var common: CommonOptions

    package init() {}

    package func run() async throws {
        try await common.withClient { client in
            try Self.write(
                try await client.send(.get("/mesh"), as: MeshView.self), common.output)
        }
    }

    static func write(_ mesh: MeshView, _ format: OutputFormat) throws {
        switch format {
        case .text: Console.write(text(mesh))
        case .json, .yaml:
            Console.write(try Output.document(try AegisAPI.encode(mesh), format))
        }
    }

    package static func text(_ mesh: MeshView) -> String {
        var lines = [("mesh", mesh.name), ("id", mesh.mesh), ("state", mesh.state.rawValue)]
        lines.append(("participants", "\(mesh.participants)"))
        if let quorum = mesh.quorum, let faults = mesh.faultTolerance {
            let down = mesh.participants - quorum
            lines.append(
                (
                    "quorum",
                    "\(quorum) of \(mesh.participants) votes; \(down) may be down, "
                        + "\(faults) may lie"
                ))
        }
        if !mesh.waitingFor.isEmpty {
            lines.append(("waiting for", mesh.waitingFor.joined(separator: ", ")))
        }
        if mesh.state == .founded {
            lines.append(("height", "\(mesh.height)"))
            lines.append(
                ("final", mesh.final.map { "\($0.height)  \($0.words)" } ?? "nothing yet"))
        }
        if let digest = mesh.genesisDigest { lines.append(("genesis", digest)) }
        for motion in mesh.motions {
            lines.append(
                (
                    "motion",
                    "\(motion.id)  \(motion.words.count) of \(motion.quorum)  \(motion.motion)"
                ))
        }
        if let fork = mesh.fork { lines.append(("FORK", fork)) }
        return lines.map { name, value in
            name + String(repeating: " ", count: 14 - name.count) + value + "\n"
        }.joined()
    }
}
