/// What was charged to a ledger, and what it amounts to.
struct LedgerAccount: Sendable {
    struct Item: Sendable {
        let event: MechanismEvent
        let run: [UInt8]
        let time: UInt64
    }

    private(set) var charges: [Item] = []
    private var accountant = PrivacyAccountant()

    mutating func add(_ event: MechanismEvent, run: [UInt8], at time: UInt64) {
        charges.append(Item(event: event, run: run, time: time))
        accountant.compose(event)
    }

    /// As if `event` had been charged too.
    func adding(_ event: MechanismEvent) -> LedgerAccount {
        var copy = self
        copy.accountant.compose(event)
        return copy
    }

    /// Some of the charges, as if there were no others.
    func restricted(to isCounted: (Item) -> Bool) -> LedgerAccount {
        var account = LedgerAccount()
        for item in charges where isCounted(item) {
            account.add(item.event, run: item.run, at: item.time)
        }
        return account
    }

    func epsilon(delta: Double) -> Double { accountant.epsilon(atDelta: delta) }
}
