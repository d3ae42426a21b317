import AegisAPI
import AegisPrivacy
import Foundation

/// Why a case has no answer; the text of its `error`.
struct CaseFault: Error, Equatable {
    let message: String

    init(_ message: String) { self.message = message }
}

/// The fields of one case of a batch, with the checks that all commands share.
struct PrivacyCase {
    /// 10⁵ phases are a ledger of a century; beyond 10⁶ somebody errs.
    static let phasesMax = 1_000_000
    static let ordersMax = 10_000

    private let fields: [String: JSONValue]

    init(_ value: JSONValue) throws(CaseFault) {
        guard case .object(let fields) = value else {
            throw CaseFault("a case is an object, this is \(value.kind)")
        }
        self.fields = fields
    }

    func has(_ name: String) -> Bool { (fields[name] ?? .null) != .null }

    func number(_ name: String) throws(CaseFault) -> Double {
        guard let value = fields[name], value != .null else {
            throw CaseFault("\(name) is missing")
        }
        switch value {
        case .integer(let integer): return Double(integer)
        case .number(let number):
            if number.isNaN { throw CaseFault("\(name) is not a number") }
            return number
        case .text("inf"), .text("Infinity"): return .infinity
        case .null, .bool, .text, .array, .object:
            throw CaseFault("\(name) must be a number, is \(value.kind)")
        }
    }

    func count(_ name: String) throws(CaseFault) -> Int {
        let value = try number(name)
        guard value >= 0, value <= 0x1p53, value == value.rounded() else {
            throw CaseFault("\(name) must be a whole number from 0, is \(value)")
        }
        return Int(value)
    }

    func probability(_ name: String) throws(CaseFault) -> Double {
        let value = try number(name)
        guard value >= 0, value <= 1 else {
            throw CaseFault("\(name) must be from 0 to 1, is \(value)")
        }
        return value
    }

    func noise() throws(CaseFault) -> Double {
        let value = try number("noise_multiplier")
        guard value >= 0, value.isFinite else {
            throw CaseFault("noise_multiplier must be a finite number from 0, is \(value)")
        }
        return value
    }

    /// `best` where nothing is asked for.
    func accountant() throws(CaseFault) -> AccountantKind {
        guard let value = fields["accountant"], value != .null else { return .best }
        guard case .text(let name) = value, let kind = AccountantKind(rawValue: name) else {
            let names = AccountantKind.allCases.map(\.rawValue).joined(separator: ", ")
            throw CaseFault("accountant must be one of \(names)")
        }
        return kind
    }

    func phase() throws(CaseFault) -> PrivacyPhase {
        let (rate, noise) = (try probability("sampling_rate"), try noise())
        do {
            return try PrivacyPhase(
                samplingRate: rate, noiseMultiplier: noise, steps: try count("steps"))
        } catch let fault as CaseFault {
            throw fault
        } catch {
            throw CaseFault("\(error)")
        }
    }

    /// The `phases`, or the case itself where it is one.
    func phases() throws(CaseFault) -> [PrivacyPhase] {
        guard let value = fields["phases"] else {
            if has("sampling_rate") { return [try phase()] }
            throw CaseFault("phases are missing")
        }
        guard case .array(let elements) = value else {
            throw CaseFault("phases must be a list, are \(value.kind)")
        }
        guard elements.count <= Self.phasesMax else {
            throw CaseFault("phases must be at most \(Self.phasesMax), are \(elements.count)")
        }
        var phases: [PrivacyPhase] = []
        phases.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            do throws(CaseFault) {
                phases.append(try PrivacyCase(element).phase())
            } catch {
                throw CaseFault("phases[\(index)]: " + error.message)
            }
        }
        return phases
    }

    func orders() throws(CaseFault) -> [Double] {
        guard case .array(let elements)? = fields["orders"] else {
            throw CaseFault("orders must be a list of numbers above 1")
        }
        guard elements.count <= Self.ordersMax else {
            throw CaseFault("orders must be at most \(Self.ordersMax), are \(elements.count)")
        }
        var orders: [Double] = []
        for (index, element) in elements.enumerated() {
            let order = try PrivacyCase(.object(["order": element])).number("order")
            guard order > 1, order.isFinite else {
                throw CaseFault("orders[\(index)] must be a finite number above 1, is \(order)")
            }
            orders.append(order)
        }
        return orders
    }
}
