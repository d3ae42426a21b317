import AegisCore
import AegisCrypto
import AegisProtocol
import AegisSimulation

/// Ed25519 and SHA-256, with keys made of numbers.
struct RealCryptography: SimulationCryptography {
    private let signers: [NodeID: EnvelopeSigner]
    private let nodes: [NodeID]

    init() {
        let all = (UInt8.min...UInt8.max).map { number -> EnvelopeSigner in
            do {
                let key = try SigningKey(
                    seed: Array(repeating: number, count: SigningKey.seedBytes))
                return EnvelopeSigner(IdentityKey(key))
            } catch {
                preconditionFailure("a seed of 32 bytes is a key")
            }
        }
        nodes = all.map(\.sender)
        signers = Dictionary(uniqueKeysWithValues: all.map { ($0.sender, $0) })
    }

    func node(_ number: UInt8) -> NodeID { nodes[Int(number)] }

    func digest(_ bytes: [UInt8]) -> Digest { SHA256.digest(of: bytes) }

    func verify(_ envelope: SignedEnvelope) -> Verified<[UInt8]>? {
        try? EnvelopeVerifier().verify(envelope)
    }

    func sign(_ type: StatementType, from node: NodeID, payload: [UInt8]) -> SignedEnvelope {
        guard let signer = signers[node] else { preconditionFailure("nobody's key") }
        return signer.sign(type, payload)
    }
}
