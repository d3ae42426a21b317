package import AegisIdentity

/// What can be allowed. The table below is the only place that says to whom; every route names one
/// of these, and tests, OpenAPI and docs follow from it.
package enum Permission: String, CaseIterable, Sendable {
    case readStatus = "status.read"
    case readMesh = "mesh.read"
    case foundMesh = "mesh.found"
    case readParticipants = "participants.read"
    case manageMembers = "members.manage"
    case readTokens = "tokens.read"
    case manageTokens = "tokens.manage"
    case readDatasets = "datasets.read"
    case manageDatasets = "datasets.manage"
    case readRuns = "runs.read"
    case readModel = "models.read"
    case readEvidence = "evidence.read"
    case submitRun = "runs.submit"
    case stopRun = "runs.stop"
    case calibrate = "privacy.calibrate"
    case readBudgets = "budgets.read"
    case readUsers = "users.read"
    case manageUsers = "users.manage"
    case renewOwnCertificate = "certificates.renew-own"
    case readAudit = "audit.read"

    package var roles: Set<AdminRole> {
        switch self {
        case .readStatus, .readMesh, .readRuns, .calibrate, .renewOwnCertificate:
            [.admin, .operator, .auditor, .viewer]
        case .readParticipants, .readTokens, .readDatasets, .readBudgets, .readModel,
            .readEvidence:
            [.admin, .operator, .auditor]
        case .manageTokens, .manageDatasets, .submitRun, .stopRun:
            [.admin, .operator]
        case .readUsers, .readAudit: [.admin, .auditor]
        case .foundMesh, .manageMembers, .manageUsers: [.admin]
        }
    }
}
