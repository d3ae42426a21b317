import CBLAS

/// The few BLAS calls the kernels need, row-major, on one thread: a node's concurrency is its own
/// tasks, and BLAS threads inside them would fight over the cores.
package enum LinearAlgebra {
    typealias Matrix = UnsafeMutablePointer<Float>
    typealias Input = UnsafePointer<Float>

    private static let prepared: Void = {
        aegis_openblas_choose_kernels()
        openblas_set_num_threads(1)
    }()

    /// Happens once, at the first use at the latest. A program calls it at its start, before it
    /// has threads: choosing kernels touches the environment.
    package static func prepare() { _ = prepared }

    /// The kernels in use, for a log line: "SkylakeX", "Haswell", "Zen" …
    package static var kernels: String {
        prepare()
        guard let name = openblas_get_corename() else { return "unknown" }
        return String(cString: name)
    }

    /// result (m × n) = left (m × k) · right (n × k)ᵀ
    static func multiplyTransposed(
        _ left: Input, _ right: Input, into result: Matrix, m: Int, n: Int, k: Int
    ) {
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, blasint(m), blasint(n), blasint(k), 1,
            left, blasint(k), right, blasint(k), 0, result, blasint(n))
    }

    /// result (m × n) = left (m × k) · right (k × n)
    static func multiply(
        _ left: Input, _ right: Input, into result: Matrix, m: Int, n: Int, k: Int
    ) {
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasNoTrans, blasint(m), blasint(n), blasint(k), 1,
            left, blasint(k), right, blasint(n), 0, result, blasint(n))
    }

    /// result (m × n) += left (k × m)ᵀ · right (k × n)
    static func addTransposedProduct(
        _ left: Input, _ right: Input, to result: Matrix, m: Int, n: Int, k: Int
    ) {
        cblas_sgemm(
            CblasRowMajor, CblasTrans, CblasNoTrans, blasint(m), blasint(n), blasint(k), 1,
            left, blasint(m), right, blasint(n), 1, result, blasint(n))
    }
}
