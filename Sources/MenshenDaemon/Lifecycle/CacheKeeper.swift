// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenStore

/// The cache of answers that the configuration in force asks for. Belongs to the supervisor's thread; workers reach the
/// cache through their snapshot.
final class CacheKeeper {
    private let events: Events
    private var path: String?
    private var maxBytes = 0
    private var open: ResponseCache?

    init(_ events: Events) { self.events = events }

    /// The one of the earlier configuration, if that said the same of it. nil: none is asked for, or none can be had.
    func cache(for configuration: Configuration) -> ResponseCache? {
        let wanted = configuration.cache
        let path: String
        do {
            path = try wanted.enable ? wanted.path ?? StandardPaths.cache() : ""
        } catch {
            events.remark("There is no cache: \(error)")
            close()
            return nil
        }
        if wanted.enable, let open, path == self.path, wanted.maxBytes == maxBytes { return open }
        close()
        guard wanted.enable else { return nil }
        do {
            open = try ResponseCache(settings: CacheSettings(path: path, maxBytes: wanted.maxBytes)) { [events] in
                events.tell($0.event)
            }
            self.path = path
            maxBytes = wanted.maxBytes
        } catch {
            events.remark("There is no cache: \(error)")
        }
        return open
    }

    /// What is queued is written first. Workers that still have it find nothing any more, and store nothing.
    func close() {
        open?.close()
        open = nil
    }
}
