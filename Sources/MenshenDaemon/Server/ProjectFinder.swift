// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import Synchronization

/// Finds the repositories that callers work in, on a thread of its own: a directory on a network file system that hangs keeps
/// that thread, and nothing else but requests that a rule judges by their project, for a while (`ProjectWait`). The thread
/// begins with the first caller. What it finds shows in the records from then on, which for the rows of requests that have
/// ended is always soon enough.
final class ProjectFinder: Sendable {
    typealias Find = @Sendable (_ directory: String, _ home: String?, _ owner: UInt32) -> String?

    /// The root of a repository, once it is found.
    final class Project: LateText {
        private struct Finding {
            var root: String?
            var isDone = false
        }

        private let finding = Mutex(Finding())

        var text: String? { finding.withLock { $0.root } }
        var standing: LateStanding { finding.withLock { $0.isDone } ? .known : .awaited }

        fileprivate func found(_ root: String?) { finding.withLock { $0 = Finding(root: root, isDone: true) } }
    }

    private struct Search: Sendable {
        let directory: String
        let owner: UInt32
        let project: Project
    }

    private struct Searches: Backlog {
        var all: [Search] = []
        var urgency: WorkUrgency { all.isEmpty ? .nothing : .urgent }
    }

    private struct Known {
        let project: Project
        let until: UInt64
    }

    /// Of a directory whose search has begun, before it is searched again: somebody may have made a repository of it.
    private static let lifetime: UInt64 = 60_000_000
    private static let maxKnown = 256
    /// Of directories that wait for a thread that hangs.
    static let maxWaiting = 32

    private let home: String?
    private let find: Find
    private let known = Mutex<[String: Known]>([:])
    private let queue = WorkQueue(Searches(), ())
    private let thread = Mutex<NamedThread?>(nil)

    /// `home`: beyond which no repository is looked for.
    init(
        home: String? = Environment.value("HOME"),
        find: @escaping Find = { RepositoryRoot.find(from: $0, notBeyond: $1, owner: $2) }
    ) {
        self.home = home
        self.find = find
    }

    deinit { queue.close() }

    /// The project of a caller that works in `directory`; nil while too many wait. Costs a lock, and where the directory is
    /// new a wake.
    func project(of directory: String, owner: UInt32, now: UInt64) -> Project? {
        let (project, isNew) = known.withLock { known -> (Project, Bool) in
            if let known = known[directory], known.until > now { return (known.project, false) }
            if known.count >= Self.maxKnown { known.removeAll(keepingCapacity: true) }
            let project = Project()
            known[directory] = Known(project: project, until: now + Self.lifetime)
            return (project, true)
        }
        if !isNew { return project }
        let search = Search(directory: directory, owner: owner, project: project)
        let isQueued = queue.submit { searches in
            if searches.all.count >= Self.maxWaiting { return false }
            searches.all.append(search)
            return true
        }
        if isQueued == true, hasThread() { return project }
        // Else whoever comes next would wait for what nobody looks for.
        known.withLock { $0[directory] = nil }
        return nil
    }

    private func hasThread() -> Bool {
        thread.withLock { thread in
            if thread == nil {
                thread = try? NamedThread("projects") { [home, queue, find] in Self.run(home, queue, find) }
            }
            return thread != nil
        }
    }

    private static func run(_ home: String?, _ queue: WorkQueue<Searches, Void>, _ find: Find) {
        let home = home.flatMap(RepositoryRoot.resolved)
        var taken = Searches()
        while true {
            // One at a time: what waits behind one that hangs counts as waiting.
            let outcome = queue.take(()) { searches, _ in
                taken.all.removeAll(keepingCapacity: true)
                if searches.all.isEmpty { return false }
                taken.all.append(searches.all.removeFirst())
                return true
            }
            switch outcome {
            case .work:
                for next in taken.all {
                    next.project.found(find(next.directory, home, next.owner).map(AuditText.name))
                }
            case .later, .nothing: queue.sleep(nil)
            case .closed: return
            }
        }
    }
}
