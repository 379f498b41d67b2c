// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Compression
internal import Curl
internal import Linux
internal import MenshenCore

/// Encodes and sends what `Telemetry` gathers, on a thread of its own. A receiver that is slow, dead or lying costs this thread's
/// time and no other's.
final class TelemetrySender {
    /// A receiver says little.
    private static let answerLimit = 64 << 10
    /// Bodies that go out together: a collector takes requests of 20 MiB.
    private static let weightLimit = 4 << 20
    /// Tries at one batch, and the waits between them: 1 s, 2 s, 4 s, 8 s, by half of it at random.
    private static let tries = 5
    private static let firstWait: UInt64 = 1_000_000
    /// Whatever a receiver asks for.
    private static let longestWait: UInt64 = 60_000_000
    private static let tellingInterval: UInt64 = 60_000_000

    private let telemetry: Telemetry
    private let events: Events
    /// Under their CA files.
    private var posts: [String: Post] = [:]
    private let post: Post
    private let headers = HeaderList()
    private var taken: [SettledRequest] = []
    private var generator = SystemRandomNumberGenerator()
    private var lost: Int64 = 0
    private var reason = ""
    private var toldAt: UInt64?
    private var toldDropped: Int64 = 0

    init(_ telemetry: Telemetry, _ events: Events) throws {
        self.telemetry = telemetry
        self.events = events
        post = try Post(limit: Self.answerLimit, wake: telemetry.wake.descriptor, caFile: nil)
    }

    func run() {
        while let plan = take() {
            while !taken.isEmpty { sendBatch(plan) }
            tell()
        }
        tell(isLast: true)
    }

    // MARK: Taking

    /// Waits for something to do; nil: this is the end.
    private func take() -> TelemetryPlan? {
        var due: UInt64?
        while true {
            let (plan, count, end) = telemetry.withWork { ($0.plan, $0.requests.count, $0.end) }
            guard let plan else { return nil }
            if end != nil, count == 0 { return nil }
            let now = Clock.monotonic()
            let dueNow = due ?? now + UInt64(plan.delayMilliseconds) * 1000
            if count > 0, count >= plan.batchLimit || now >= dueNow || end != nil {
                telemetry.withWork { work in
                    swap(&taken, &work.requests)
                    work.held = taken.count
                }
                return plan
            }
            due = count > 0 ? dueNow : nil
            // A loss of the queue's is told when its time has come, though nothing is to be sent.
            let patience = due.map { $0 - now } ?? (hasNews ? Self.tellingInterval : nil)
            post.pause(milliseconds: patience.map { Int($0 / 1000) + 1 } ?? Int(Int32.max))
            telemetry.wake.clear()
            tell()
        }
    }

    private func sendBatch(_ plan: TelemetryPlan) {
        var (count, weight) = (0, 0)
        while count < min(taken.count, plan.batchLimit), count == 0 || weight + taken[count].weight <= Self.weightLimit
        {
            weight += taken[count].weight
            count += 1
        }
        var writer = TelemetryWriter(plan.places, plan.sampler)
        for request in taken[..<count] { writer.add(request, using: &generator) }
        for lane in plan.lanes {
            let items = lane.signal == .traces ? writer.spans : writer.records
            if !items.isEmpty { send(items, by: lane, plan) }
        }
        taken.removeFirst(count)
        let left = taken.count
        telemetry.withWork { work in
            work.held = left
            work.weight = max(0, work.weight - weight)
        }
    }

    // MARK: Sending

    private func send(_ items: [OTLPMessage.Value], by lane: TelemetryPlan.Lane, _ plan: TelemetryPlan) {
        let message = lane.signal.batch(items, resource: plan.resource, version: Version.text)
        var body = lane.encoding.bytes(of: message)
        let compressed = lane.isCompressed ? Gzip.compress(body) : nil
        body = compressed ?? body
        write(lane, isCompressed: compressed != nil)
        defer { headers.clear() }
        var wait = Self.firstWait
        for number in 1...Self.tries {
            guard let time = timeLeft(Int64(lane.timeoutMilliseconds)) else {
                reason = "menshen ended before they could be sent"
                break
            }
            let outcome = exchange(body, by: lane, milliseconds: Int(time))
            var asked: UInt64?
            switch outcome {
            case .stopped: reason = "\(lane.url) did not answer before menshen's end"
            case .failed(let error): reason = "\(lane.url): \(error)"
            case .answered(let answer) where [429, 502, 503, 504].contains(answer.status):
                reason = "\(lane.url) answered \(answer.status)"
                asked = answer.retryAfter.map { UInt64(clamping: $0) * 1_000_000 }
            case .answered(let answer):
                return settle(answer, Int64(items.count), lane)
            }
            if number == Self.tries { break }
            let jitter = UInt64.random(in: 0...wait / 2, using: &generator)
            guard pause(min(asked.map { $0 + jitter } ?? wait - jitter, Self.longestWait)) else { break }
            wait *= 2
        }
        count(lost: Int64(items.count), of: Int64(items.count), lane)
    }

    private func exchange(_ body: [UInt8], by lane: TelemetryPlan.Lane, milliseconds: Int) -> Post.Outcome {
        do throws(CurlError) {
            return try post(of: lane).send(body, to: lane.url, headers, timeoutMilliseconds: milliseconds) {
                [telemetry] in
                telemetry.wake.clear()
                return Self.timeLeft(telemetry) > 0
            }
        } catch {
            return .failed(error)
        }
    }

    private func post(of lane: TelemetryPlan.Lane) throws(CurlError) -> Post {
        guard let file = lane.caFile else { return post }
        if let known = posts[file] { return known }
        let own = try Post(limit: Self.answerLimit, wake: telemetry.wake.descriptor, caFile: file)
        posts[file] = own
        return own
    }

    /// Milliseconds of at most `most` until the end; nil: it has come.
    private func timeLeft(_ most: Int64) -> Int64? {
        let left = Self.timeLeft(telemetry)
        return left > 0 ? min(most, left) : nil
    }

    private static func timeLeft(_ telemetry: Telemetry) -> Int64 {
        guard let end = telemetry.withWork({ $0.end }) else { return .max }
        let now = Clock.monotonic()
        return now < end ? Int64((end - now + 999) / 1000) : 0
    }

    /// Between two tries; false: there is no time for another.
    private func pause(_ microseconds: UInt64) -> Bool {
        let until = Clock.monotonic() + microseconds
        while true {
            // At the end nobody waits for a receiver that has refused once.
            if telemetry.withWork({ $0.end }) != nil { return false }
            let now = Clock.monotonic()
            if now >= until { return true }
            post.pause(milliseconds: Int((until - now) / 1000) + 1)
            telemetry.wake.clear()
            tell()
        }
    }

    /// An answer after which nothing is sent again.
    private func settle(_ answer: Post.Answer, _ total: Int64, _ lane: TelemetryPlan.Lane) {
        guard (200..<300).contains(answer.status) else {
            reason = "\(lane.url) answered \(answer.status)"
            return count(lost: total, of: total, lane)
        }
        guard answer.isWhole, let reply = OTLPReply(answer.body, lane.encoding) else {
            reason = "\(lane.url) answered \(answer.status), but not as a receiver of OTLP does"
            return count(lost: total, of: total, lane)
        }
        if reply.rejected > 0 {
            reason = "\(lane.url) took a part: \(Self.plain(reply.message, lane))"
        }
        count(lost: min(reply.rejected, total), of: total, lane)
    }

    /// What a receiver says, as one line without a secret.
    private static func plain(_ text: String, _ lane: TelemetryPlan.Lane) -> String {
        let printable = text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }
        return AuditText.name(
            SecretSet(lane.headers.map(\.value)).masked(String(String.UnicodeScalarView(printable))))
    }

    private func write(_ lane: TelemetryPlan.Lane, isCompressed: Bool) {
        headers.clear()
        headers.beginLine()
        headers.append("Content-Type: ")
        headers.append(lane.encoding.contentType)
        headers.endLine()
        if isCompressed { headers.add("Content-Encoding: gzip") }
        headers.add("User-Agent: menshen-otlp")
        headers.add("Expect:")
        for header in lane.headers {
            headers.beginLine()
            Array("\(header.name): ".utf8).withUnsafeBytes { headers.append($0) }
            header.value.withBytes { headers.append($0) }
            headers.endLine()
        }
    }

    // MARK: Losses

    private func count(lost: Int64, of total: Int64, _ lane: TelemetryPlan.Lane) {
        self.lost += lost
        let reason = reason
        telemetry.withWork { work in
            if lost > 0 { work.status.fault = reason }
            guard let place = work.status.lanes.firstIndex(where: { $0.signal == lane.signal && $0.url == lane.url })
            else { return }
            work.status.lanes[place].sent += total - lost
            work.status.lanes[place].lost += lost
        }
    }

    private var dropped: Int64 { telemetry.withWork { $0.status.dropped } - toldDropped }
    private var hasNews: Bool { lost > 0 || dropped > 0 }

    /// Once a minute at most.
    private func tell(isLast: Bool = false) {
        let now = Clock.monotonic()
        if !isLast, let toldAt, now < toldAt + Self.tellingInterval { return }
        let dropped = dropped
        guard lost > 0 || dropped > 0 else { return }
        if lost > 0 { events.tell(.telemetryLost(lost, reason)) }
        if dropped > 0 { events.tell(.telemetryDropped(dropped)) }
        toldAt = now
        toldDropped += dropped
        lost = 0
    }
}
