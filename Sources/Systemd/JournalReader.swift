// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CSystemd
internal import Glibc
package import Linux

/// Reads journal entries, oldest first. Belongs to one thread. Opening it maps every journal file that this user may read:
/// some tens of microseconds each.
package final class JournalReader {
    package enum Source: Sendable, Equatable {
        /// This machine's journal, as far as this user may read it.
        case system
        /// Journal files below a directory.
        case directory(String)
    }

    /// An entry's fields. A field may have several values, in no particular order.
    package typealias Fields = [String: [String]]

    private let journal: OpaquePointer
    /// What `seek` leads to, and is read already.
    private var last: String?

    package init(_ source: Source) throws(SystemError) {
        var opened: OpaquePointer?
        switch source {
        case .system:
            try SystemError.check(sd_journal_open(&opened, Int32(SD_JOURNAL_LOCAL_ONLY)), "sd_journal_open")
        case .directory(let path):
            try SystemError.check(sd_journal_open_directory(&opened, path, 0), "sd_journal_open_directory", path)
        }
        guard let opened else { throw SystemError("sd_journal_open", code: ENOENT) }
        journal = opened
        // 64 KiB of a field by default.
        sd_journal_set_data_threshold(journal, 1 << 20)
    }

    deinit { sd_journal_close(journal) }

    /// No file with an entry could be opened: there is none, or this user may read none.
    package var isEmpty: Bool {
        var first: UInt64 = 0
        return sd_journal_get_cutoff_realtime_usec(journal, &first, nil) <= 0
    }

    /// Only entries that have this value; of several values of one field any of them will do.
    package func match(_ field: String, _ value: String) throws(SystemError) {
        let text = "\(field)=\(value)"
        try SystemError.check(sd_journal_add_match(journal, text, text.utf8.count), "sd_journal_add_match", field)
    }

    /// `next` goes on behind the entry that `cursor` names, or near it if that is gone: then some may come again. nil begins
    /// at the beginning.
    package func seek(after cursor: String?) throws(SystemError) {
        last = nil
        if let cursor, sd_journal_seek_cursor(journal, cursor) >= 0 {
            last = cursor
            return
        }
        try SystemError.check(sd_journal_seek_head(journal), "sd_journal_seek_head")
    }

    /// The next entry that matches; nil at the end. Of a damaged entry the fields before the damage.
    package func next() throws(SystemError) -> Fields? {
        guard try advance() else { return nil }
        if let last, sd_journal_test_cursor(journal, last) > 0, try !advance() { return nil }
        last = nil
        return fields()
    }

    /// `previous` begins with the newest entry that matches.
    package func seekEnd() throws(SystemError) {
        last = nil
        try SystemError.check(sd_journal_seek_tail(journal), "sd_journal_seek_tail")
    }

    /// The entry before; nil at the beginning.
    package func previous() throws(SystemError) -> Fields? {
        try SystemError.check(sd_journal_previous(journal), "sd_journal_previous") > 0 ? fields() : nil
    }

    private func fields() -> Fields {
        var fields: Fields = [:]
        var data: UnsafeRawPointer?
        var count = 0
        sd_journal_restart_data(journal)
        while sd_journal_enumerate_available_data(journal, &data, &count) > 0, let data {
            let bytes = UnsafeRawBufferPointer(start: data, count: count)
            guard let sign = bytes.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let name = String(decoding: bytes[..<sign], as: UTF8.self)
            fields[name, default: []].append(String(decoding: bytes[(sign + 1)...], as: UTF8.self))
        }
        return fields
    }

    private func advance() throws(SystemError) -> Bool {
        try SystemError.check(sd_journal_next(journal), "sd_journal_next") > 0
    }

    /// Returns when there may be more to read, or after that time.
    package func wait(microseconds: UInt64) { sd_journal_wait(journal, microseconds) }

    /// When the entry that `next` or `previous` returned was written: microseconds since 1970.
    package var written: UInt64? {
        var time: UInt64 = 0
        return sd_journal_get_realtime_usec(journal, &time) >= 0 ? time : nil
    }

    /// Names the entry that `next` or `previous` returned, across restarts and changes of the clock.
    package var cursor: String? {
        var text: UnsafeMutablePointer<CChar>?
        guard sd_journal_get_cursor(journal, &text) >= 0, let text else { return nil }
        defer { free(text) }
        return String(cString: text)
    }
}
