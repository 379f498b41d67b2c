// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import Synchronization

/// A question about what is recorded.
package struct Question: Sendable {
    /// One of the two is called, on the thread that has the answer. Both are, if the database fails in the middle.
    let answer: @Sendable (RecordReader) throws(StoreFault) -> Void
    let fail: @Sendable () -> Void
}

/// Answers questions one after another, on a thread of its own: a long answer keeps no record waiting. What else takes time is done
/// there too. The thread begins with the first question.
final class Reporter: Sendable {
    private struct Questions: Backlog {
        var all: [Question] = []
        var jobs: [@Sendable () -> Void] = []
        var isEmpty: Bool { all.isEmpty && jobs.isEmpty }
        var urgency: WorkUrgency { isEmpty ? .nothing : .urgent }
    }

    private let path: String
    private let queue = WorkQueue(Questions(), ())
    private let thread = Mutex<NamedThread?>(nil)
    private let foundDamage: @Sendable (StoreFault) -> Void

    /// `foundDamage` is called on the reporter's thread.
    init(path: String, foundDamage: @escaping @Sendable (StoreFault) -> Void) {
        self.path = path
        self.foundDamage = foundDamage
    }

    func ask(_ question: Question) {
        if !hasThread() || queue.submit({ $0.all.append(question) }) == nil { question.fail() }
    }

    /// Has something else done in its turn; false if there is no thread any more.
    func run(_ job: @escaping @Sendable () -> Void) -> Bool {
        hasThread() && queue.submit { $0.jobs.append(job) } != nil
    }

    /// Brings the roll-ups up to date, in between whatever else is asked. That they can't be written only makes reports slower.
    func rollUp(now: Int64) {
        _ = run { [path, queue, weak self] in
            guard let rollUps = try? RollUps(path) else { return }
            let isDone = try? rollUps.update(now: now) { _ in
                queue.look { waiting, _ in waiting.isEmpty } && !queue.isClosed
            }
            if isDone == false { self?.rollUp(now: now) }
        }
    }

    /// Answers what was asked, and waits for the thread's end.
    func close() {
        queue.close()
        thread.withLock { $0 }?.join()
    }

    private func hasThread() -> Bool {
        thread.withLock { thread in
            if thread == nil {
                thread = try? NamedThread("reports") { [path, queue, foundDamage] in Self.run(path, queue, foundDamage)
                }
            }
            return thread != nil
        }
    }

    private static func run(
        _ path: String, _ queue: WorkQueue<Questions, Void>, _ foundDamage: @Sendable (StoreFault) -> Void
    ) {
        var taken = Questions()
        while true {
            let outcome = queue.take(()) { questions, _ in
                swap(&questions, &taken)
                return !taken.isEmpty
            }
            switch outcome {
            case .work:
                for question in taken.all { answer(question, path, foundDamage) }
                taken.all.removeAll(keepingCapacity: true)
                for job in taken.jobs { job() }
                taken.jobs.removeAll()
            case .later, .nothing: queue.sleep(nil)
            case .closed: return
            }
        }
    }

    private static func answer(
        _ question: Question, _ path: String, _ foundDamage: (StoreFault) -> Void
    ) {
        do throws(StoreFault) {
            try question.answer(try RecordReader(path))
        } catch {
            if error.isDamage { foundDamage(error) }
            question.fail()
        }
    }
}
