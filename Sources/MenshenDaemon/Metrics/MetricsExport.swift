// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import Synchronization

/// Writes the metrics into the file that `server.metrics_file` names, for node_exporter's textfile collector.
struct MetricsExport {
    /// Microseconds between two writings.
    private static let interval: UInt64 = 15_000_000

    private var next: UInt64 = 0
    private let fault = LastFault()

    /// Once the time has come; on the reports' thread, because a disk may be slow.
    mutating func write(_ snapshot: Snapshot, _ context: WorkerContext, now: UInt64) {
        guard let path = snapshot.configuration.server.metrics.file, now >= next else { return }
        next = now + Self.interval
        _ = context.store.runApart { [fault] in
            do throws(SystemError) {
                // Another user reads it.
                try FileReplacement.write(path, context.metrics.text(.prometheus, snapshot, context), mode: 0o644)
                fault.isNew(nil)
            } catch {
                guard fault.isNew(error.description) else { return }
                context.events.remark("server.metrics_file cannot be written: \(error). It is tried again every 15 s.")
            }
        }
    }
}

/// Has each fault said once.
private final class LastFault: Sendable {
    private let text = Mutex<String?>(nil)

    @discardableResult
    func isNew(_ text: String?) -> Bool {
        self.text.withLock { last in
            defer { last = text }
            return last != text
        }
    }
}
