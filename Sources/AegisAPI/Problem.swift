/// Why a request failed, in the form of RFC 9457 (`application/problem+json`).
package struct Problem: Codable, Error, Sendable, Equatable {
    /// Stable; programs decide by it. `urn:aegis:problem:<word>`.
    package var type: String
    package var title: String
    package var status: Int
    package var detail: String?
    /// What the caller can do about it.
    package var hint: String?
    /// Every fault of a request that didn't validate.
    package var faults: [FieldFault]?
    package var requestID: String?
    /// Seconds after which the same call may pass; the header `Retry-After`.
    package var retryAfter: Int?

    package init(
        _ kind: Kind, detail: String? = nil, hint: String? = nil, faults: [FieldFault]? = nil
    ) {
        type = kind.type
        title = kind.title
        status = kind.status
        self.detail = detail
        self.hint = hint
        self.faults = faults
    }

    /// Of a type that is not in `Kind`: what a join can fail with is listed with the handshake.
    package init(type: String, title: String, status: Int, detail: String?) {
        self.type = type
        self.title = title
        self.status = status
        self.detail = detail
    }

    private enum CodingKeys: String, CodingKey {
        case type, title, status, detail, hint, faults, retryAfter
        case requestID = "requestId"
    }

    /// Every type of problem there is, with its title and status.
    package enum Kind: String, CaseIterable, Sendable {
        case invalidRequest = "invalid-request"
        case unfit = "unfit"
        case malformed = "malformed"
        case tooLarge = "too-large"
        case unauthenticated = "unauthenticated"
        case forbidden = "forbidden"
        case notFound = "not-found"
        case methodNotAllowed = "method-not-allowed"
        case nameTaken = "name-taken"
        case meshOpen = "mesh-open"
        case meshFounded = "mesh-founded"
        case notTheAdmin = "not-the-admin"
        case noParticipants = "no-participants"
        case runEnded = "run-ended"
        case runActive = "run-active"
        case notReady = "not-ready"
        case notFinal = "not-final"
        case badProof = "bad-proof"
        case userDisabled = "user-disabled"
        case crossSite = "cross-site"
        case unsupportedMediaType = "unsupported-media-type"
        case changed = "changed"
        case rateLimited = "rate-limited"
        case alreadyDone = "already-done"
        case keyReused = "key-reused"
        case lastAdministrator = "last-administrator"
        case tokenUsed = "token-used"
        case datasetRetired = "dataset-retired"
        case runStarted = "run-started"
        case storageFull = "storage-full"
        case tooSlow = "too-slow"
        case internalError = "internal-error"

        package var type: String { "urn:aegis:problem:" + rawValue }

        package var title: String {
            switch self {
            case .invalidRequest: "the request has faults"
            case .unfit: "each field may be so, but not together, or not in this mesh"
            case .malformed: "the body can't be read"
            case .tooLarge: "the body is too large"
            case .unauthenticated: "no principal is known by this certificate"
            case .forbidden: "this principal's roles don't allow it"
            case .notFound: "there is no such thing"
            case .methodNotAllowed: "this method is not offered here"
            case .nameTaken: "the name is taken"
            case .meshOpen: "the mesh is not founded yet"
            case .meshFounded: "the mesh is founded already"
            case .notTheAdmin: "another key is this mesh's admin"
            case .noParticipants: "no participant has joined"
            case .runEnded: "the run has ended"
            case .runActive: "another run is active"
            case .notReady: "it is not there yet"
            case .notFinal: "it is committed, and not final yet"
            case .badProof: "the proof doesn't hold"
            case .userDisabled: "this user is disabled"
            case .crossSite: "another site asked for this"
            case .unsupportedMediaType: "the body is not of a type taken here"
            case .changed: "it was changed meanwhile"
            case .rateLimited: "too many calls in a short time"
            case .alreadyDone: "this was done already"
            case .keyReused: "the idempotency key belongs to another request"
            case .lastAdministrator: "one administrator must remain"
            case .tokenUsed: "the token was used"
            case .datasetRetired: "the data set is retired"
            case .runStarted: "the run was started already"
            case .storageFull: "the disk is full"
            case .tooSlow: "the request took too long to arrive"
            case .internalError: "something broke here"
            }
        }

        package var status: Int {
            switch self {
            case .invalidRequest: 422
            case .malformed: 400
            case .tooLarge: 413
            case .unauthenticated: 401
            case .forbidden, .badProof, .userDisabled, .crossSite: 403
            case .notFound: 404
            case .methodNotAllowed: 405
            case .nameTaken, .meshOpen, .meshFounded, .noParticipants, .runEnded, .runActive,
                .notReady, .notFinal, .alreadyDone, .lastAdministrator, .tokenUsed, .datasetRetired,
                .runStarted, .changed, .keyReused, .unfit, .notTheAdmin:
                409
            case .tooSlow: 408
            case .unsupportedMediaType: 415
            case .rateLimited: 429
            case .internalError: 500
            case .storageFull: 507
            }
        }
    }
}

/// One field of a request that can't be taken as it is.
package struct FieldFault: Codable, Sendable, Hashable {
    /// `training.learning_rate`, `model.hidden[1]`.
    package var field: String
    package var message: String

    package init(field: String, message: String) {
        self.field = field
        self.message = message
    }
}
