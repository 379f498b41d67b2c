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

/// Answers questions one after another, on a thread of its own: a long answer keeps no record waiting. The thread begins with
/// the first question.
final class Reporter: Sendable {
    private struct Questions: Backlog {
        var all: [Question] = []
        var urgency: WorkUrgency { all.isEmpty ? .nothing : .urgent }
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
                return !taken.all.isEmpty
            }
            switch outcome {
            case .work:
                for question in taken.all { answer(question, path, foundDamage) }
                taken.all.removeAll(keepingCapacity: true)
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
