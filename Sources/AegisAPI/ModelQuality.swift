/// How a committed model does on public test records: on a node's, or on those of all nodes.
package struct ModelQuality: Codable, Hashable, Sendable {
    /// Test records.
    package var records: Int
    package var loss: Double
    /// Of classes.
    package var accuracy: Double?
    /// Area under the ROC curve; with more than two classes the mean of one against the rest.
    package var auc: Double?
    package var f1: Double?
    /// Expected calibration error in 15 bins.
    package var calibrationError: Double?
    /// Of numbers, in the target's own unit.
    package var rmse: Double?
    package var mae: Double?
    package var r2: Double?

    package init(
        records: Int, loss: Double, accuracy: Double? = nil, auc: Double? = nil, f1: Double? = nil,
        calibrationError: Double? = nil, rmse: Double? = nil, mae: Double? = nil, r2: Double? = nil
    ) {
        self.records = records
        self.loss = loss
        self.accuracy = accuracy
        self.auc = auc
        self.f1 = f1
        self.calibrationError = calibrationError
        self.rmse = rmse
        self.mae = mae
        self.r2 = r2
    }

    /// Of the federation: the nodes' figures, each weighted by its test records, the squared error
    /// before its root. An area under the curve of all records can't be had from the nodes' areas;
    /// their mean is given as what it is. Nil where no node has any records.
    package init?(ofAll nodes: [ModelQuality]) {
        let counted = nodes.filter { $0.records > 0 }
        let total = counted.reduce(0) { $0 + $1.records }
        guard total > 0 else { return nil }
        func mean(_ value: (ModelQuality) -> Double?) -> Double? {
            var sum = 0.0
            for node in counted {
                guard let figure = value(node) else { return nil }
                sum += figure * Double(node.records) / Double(total)
            }
            return sum
        }
        self.init(
            records: total, loss: mean(\.loss) ?? 0, accuracy: mean(\.accuracy), auc: mean(\.auc),
            f1: mean(\.f1), calibrationError: mean(\.calibrationError),
            rmse: mean { $0.rmse.map { $0 * $0 } }?.squareRoot(), mae: mean(\.mae), r2: mean(\.r2))
    }

    /// What a stranger's figures must be to be kept.
    package var isSound: Bool {
        records >= 0
            && [loss, accuracy, auc, f1, calibrationError, rmse, mae, r2]
                .allSatisfy { $0?.isFinite ?? true }
    }
}
