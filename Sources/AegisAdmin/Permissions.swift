package import AegisIdentity

/// What can be allowed. The table below is the only place that says to whom.
package enum Permission: String, CaseIterable, Sendable {
    case readHealth
    case readTokens
    case createToken
    case readParticipants
    case readMesh
    case foundMesh
    case readRuns
    case readModel
    case readEvidence
    case submitRun
    case stopRun

    package var roles: Set<AdminRole> {
        switch self {
        case .readHealth, .readMesh, .readRuns: [.admin, .operator, .auditor, .viewer]
        case .readParticipants, .readTokens, .readEvidence: [.admin, .operator, .auditor]
        case .readModel: [.admin, .operator, .auditor]
        case .createToken, .submitRun, .stopRun: [.admin, .operator]
        case .foundMesh: [.admin]
        }
    }
}
