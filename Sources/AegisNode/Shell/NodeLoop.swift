import AegisCore
import AegisProtocol
import Logging

/// The one reader of the inbox: hands each input to the protocol core and performs what it decides,
/// in its order. A durable effect that fails ends the process (PROTOCOL.md §2.11).
struct NodeLoop: ~Copyable {
    private var participant: Participant
    private let inbox: Inbox
    private let journal: NodeJournal
    private let surroundings: any Surroundings
    private var timers: Timers

    init(
        participant: Participant, inbox: Inbox, journal: NodeJournal,
        surroundings: any Surroundings
    ) {
        self.participant = participant
        self.inbox = inbox
        self.journal = journal
        self.surroundings = surroundings
        timers = Timers(inbox: inbox)
    }

    /// Runs until the inbox is finished.
    consuming func run() async throws {
        try step(.start)
        for await input in inbox.inputs {
            inbox.taken(input)
            try step(input)
        }
    }

    private mutating func step(_ input: Input) throws {
        var inputs = [input]
        while !inputs.isEmpty {
            let effects = participant.handle(
                inputs.removeFirst(), at: MachineClock.now,
                wallTime: MachineClock.wallMilliseconds)
            inputs += try perform(effects)
        }
        surroundings.noted(participant.status)
    }

    /// Performs the effects; the inputs that follow at once: what was signed.
    private mutating func perform(_ effects: [Effect]) throws -> [Input] {
        var batch = NodeJournal.Batch()
        var inputs: [Input] = []
        for effect in effects {
            switch effect {
            case .persist(let record): batch.add(record)
            case .sign(let slot, let payload, let recipients):
                try journal.sign(slot, payload: payload, to: recipients, in: &batch)
            default:
                inputs += try flush(&batch)
                try act(on: effect)
            }
        }
        return inputs + (try flush(&batch))
    }

    private func flush(_ batch: inout NodeJournal.Batch) throws -> [Input] {
        guard !batch.isEmpty else { return [] }
        let signed = try journal.commit(batch)
        for record in batch.persisted { surroundings.journaled(record) }
        batch = NodeJournal.Batch()
        for (slot, envelope, recipients) in signed {
            surroundings.journaled(.signed(slot, envelope))
            surroundings.send([.signed(envelope)], to: recipients)
        }
        return signed.map { .signed($0.slot, $0.envelope) }
    }

    private mutating func act(on effect: Effect) throws {
        switch effect {
        case .persist, .sign: preconditionFailure("durable effects go into the batch")
        case .send(let statements, let recipients): surroundings.send(statements, to: recipients)
        case .startTimer(let timer, let instant): timers.start(timer, at: instant)
        case .cancelTimer(let timer): timers.cancel(timer)
        case .fetch(let request): surroundings.fetch(request)
        case .train(let request): surroundings.train(request)
        case .cancelTraining: surroundings.cancelTraining()
        case .compute(let request): surroundings.compute(request)
        case .apply(let record, let state):
            try surroundings.apply(record, state)
            try journal.compact(
                upTo: state.height, active: state.active?.specification.run,
                convicted: state.convicted)
        case .keep(let certificate, let finality): surroundings.keep(certificate, finality)
        case .synchronise(let peers, let height):
            surroundings.synchronise(from: peers, fromHeight: height)
        case .observe(let event): surroundings.observed(event)
        }
    }
}

/// What the loop acts upon. Nothing here waits: long work goes on elsewhere and answers through
/// the inbox; only `apply` returns after the disk has it.
protocol Surroundings: Sendable {
    func send(_ statements: [Statement], to recipients: [NodeID])
    func fetch(_ request: FetchRequest)
    func train(_ request: TrainingRequest)
    func cancelTraining()
    func compute(_ request: ComputeRequest)
    func apply(_ record: CommitRecord, _ state: ChainState) throws
    /// Soon on the disk.
    func keep(_ certificate: FinalCertificate, _ finality: Finality)
    func synchronise(from peers: [NodeID], fromHeight height: UInt64)
    /// On the disk, before anything that follows from it is sent.
    func journaled(_ record: JournalRecord)
    func observed(_ event: Event)
    func noted(_ status: ParticipantStatus)
}
