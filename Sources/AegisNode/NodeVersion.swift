package enum NodeVersion {
    package static let text = "0.1.0"
}
