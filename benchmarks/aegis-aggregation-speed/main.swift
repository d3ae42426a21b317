import AegisAggregation
import AegisCore
import Dispatch
import Glibc
import Synchronization

/// Times one rule: `aegis-aggregation-speed RULE N D THREADS [SECONDS]`, a JSON object on one
/// line. f is n/5 (Bulyan: (n−3)/4). The rule `read` is one pass over the same memory.
guard CommandLine.arguments.count >= 5, let n = Int(CommandLine.arguments[2]),
    let d = Int(CommandLine.arguments[3]), let threads = Int(CommandLine.arguments[4]), n > 0,
    d > 0
else {
    print("usage: aegis-aggregation-speed RULE N D THREADS [SECONDS]")
    exit(64)
}
let rule = CommandLine.arguments[1]
let seconds = CommandLine.arguments.count > 5 ? Double(CommandLine.arguments[5]) ?? 3 : 3

/// Uniform in −1..<1, another row for every seed.
func row(_ seed: UInt64) -> [Float] {
    var state = seed &+ 1
    return [Float](unsafeUninitializedCapacity: d) { values, initialized in
        for index in 0..<d {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            values[index] = Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-31
        }
        initialized = d
    }
}

func node(_ index: Int) -> NodeID? {
    NodeID([UInt8(index >> 8), UInt8(index & 255)] + [UInt8](repeating: 0, count: 30))
}

func peakBytes() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
}

func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// A sum of a row's words: as fast as one core can read.
@Sendable func sum(_ row: [Float]) -> UInt32 {
    var (first, second) = (SIMD16<UInt32>.zero, SIMD16<UInt32>.zero)
    row.withUnsafeBytes { bytes in
        for offset in stride(from: 0, to: bytes.count / 128 * 128, by: 128) {
            first &+= bytes.loadUnaligned(fromByteOffset: offset, as: SIMD16<UInt32>.self)
            second &+= bytes.loadUnaligned(fromByteOffset: offset + 64, as: SIMD16<UInt32>.self)
        }
    }
    return (first &+ second).wrappedSum()
}

/// Every thread reads rows of its own.
func read(_ rows: [[Float]], threads: Int) -> Float {
    let sums = Mutex<UInt32>(0)
    DispatchQueue.concurrentPerform(iterations: threads) { thread in
        for index in stride(from: thread, to: rows.count, by: threads) {
            let sum = sum(rows[index])
            sums.withLock { $0 &+= sum }
        }
    }
    return Float(sums.withLock { $0 })
}

let rows = (0..<n).map { row(UInt64($0)) }
let updates = zip(rows, (0..<n).compactMap(node)).map { NodeUpdate(node: $1, values: $0) }
var parameters = RuleParameters(byzantine: rule.hasSuffix("bulyan") ? (n - 3) / 4 : n / 5)
parameters.smoothing = 0.1
parameters.steps = 3
parameters.radius = 0.5 * Double(d).squareRoot()
let aggregator = try? Aggregator(
    named: rule, parameters: parameters, execution: Execution(threads: threads))
guard let aggregator = aggregator ?? (rule == "read" ? Aggregator(rule: .mean) : nil) else {
    print("no rule \(rule)")
    exit(64)
}

var result = [Float](repeating: 0, count: d)
let before = peakBytes()
var wall: [Double] = []
var processor: [Double] = []
var sink: Float = 0
let clock = ContinuousClock()
let start = clock.now
while wall.count < 3 || (clock.now - start) / .seconds(1) < seconds {
    let (began, used) = (clock.now, processorSeconds())
    if rule == "read" {
        sink += read(rows, threads: threads)
    } else {
        try result.withUnsafeMutableBufferPointer {
            _ = try aggregator.aggregate(updates, into: $0)
        }
    }
    wall.append((clock.now - began) / .seconds(1))
    processor.append(processorSeconds() - used)
}
wall.sort()
processor.sort()
let memory = Double(peakBytes() - before) / 1_048_576
print(
    "{\"peer\":\"aegis\",\"rule\":\"\(rule)\",\"n\":\(n),\"d\":\(d),\"threads\":\(threads),"
        + "\"seconds_min\":\(wall[0]),\"seconds_median\":\(wall[wall.count / 2]),"
        + "\"cpu_seconds_min\":\(processor[0]),\"extra_mib\":\(memory),"
        + "\"repetitions\":\(wall.count),\"sink\":\(sink + result[0])}")
