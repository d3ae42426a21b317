import AegisLearning
import Foundation
import Testing

@Suite("Metrics as scikit-learn has them")
struct MetricsTests {
    private struct Case: Decodable {
        let classes: Int
        let probabilities: [Float]
        let labels: [Int]
        let accuracy, f1, loss, auc, calibration_error: Double
    }

    @Test("accuracy, loss, F1, AUC and calibration error")
    func classes() throws {
        let cases = try JSONDecoder().decode([Case].self, from: Fixture.data("metrics.json"))
        #expect(cases.count == 4)
        for item in cases {
            let ours = ClassMetrics(
                probabilities: item.probabilities, labels: item.labels, classes: item.classes)
            #expect(abs(ours.accuracy - item.accuracy) < 1e-12)
            #expect(abs(ours.loss - item.loss) < 1e-9)
            #expect(abs(ours.f1 - item.f1) < 1e-12)
            #expect(abs(try #require(ours.auc) - item.auc) < 1e-12)
            #expect(abs(ours.calibrationError - item.calibration_error) < 1e-9)
        }
    }

    @Test("no area where a class has no records; nothing is no trap")
    func edges() {
        let one = ClassMetrics(probabilities: [0.9, 0.1, 0.2, 0.8], labels: [0, 0], classes: 2)
        #expect(one.auc == nil && one.accuracy == 0.5)
        #expect(ClassMetrics(probabilities: [], labels: [], classes: 3).count == 0)
    }

    @Test("numbers: RMSE, mean absolute error, R²")
    func numbers() {
        let metrics = NumberMetrics(predicted: [2.5, 0, 2, 8], actual: [3, -0.5, 2, 7])
        #expect(abs(metrics.rmse - 0.375.squareRoot()) < 1e-12)
        #expect(metrics.mae == 0.5)
        #expect(abs((metrics.r2 ?? 0) - 0.9486081370449679) < 1e-12)
        #expect(NumberMetrics(predicted: [1, 2], actual: [3, 3]).r2 == nil)
    }

    @Test("a federation counts each node by its records, and names the worst")
    func federation() throws {
        let good = ClassMetrics(probabilities: [1, 0, 1, 0, 1, 0], labels: [0, 0, 0], classes: 2)
        let bad = ClassMetrics(probabilities: [1, 0], labels: [1], classes: 2)
        let all = try #require(FederationMetrics([good, bad]))
        #expect(all.count == 4 && all.accuracy == 0.75 && all.worstAccuracy == 0)
        #expect(FederationMetrics([]) == nil)
    }
}
