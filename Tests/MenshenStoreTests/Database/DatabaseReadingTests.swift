// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import MenshenStore
import Testing

/// Why a database can't be read is said as it is.
@Suite struct DatabaseReadingTests {
    private let scratch = Scratch()

    private func fault(_ path: String) -> String {
        do throws(StoreFault) {
            _ = try RecordReader(path)
            return ""
        } catch {
            return "\(error.reason). \(error.advice)"
        }
    }

    @Test func `what is no file with records is told from one that is damaged`() throws {
        let none = scratch("none.db")
        #expect(fault(none).contains("no records at \(none) yet"))
        #expect(fault(scratch("none") + "/menshen.db").contains("no records"))
        #expect(fault("/").contains("names no file") && fault("").contains("names no file"))

        let empty = scratch("empty.db")
        close(open(empty, O_CREAT | O_WRONLY, 0o600))
        #expect(fault(empty).contains("is empty") && fault(empty).contains("Start menshen once"))
        #expect(fault(empty + "/menshen.db").contains("no records"))

        let directory = scratch("directory")
        mkdir(directory, 0o700)
        #expect(fault(directory).contains("is a directory") && fault(directory).contains("\(directory)/menshen.db"))

        let link = scratch("link.db")
        symlink(empty, link)
        #expect(fault(link).contains("is a symbolic link") && fault(link).contains("Name the file"))

        let pipe = scratch("pipe.db")
        mkfifo(pipe, 0o600)
        #expect(fault(pipe).contains("no regular file"))
    }

    // Nothing keeps root from reading; tests/e2e/reports.py has the same as another user.
    @Test(.enabled(if: geteuid() != 0)) func `what this user may not read or write is told`() throws {
        _ = StoreWorker(StoreSettings(databasePath: scratch("locked/menshen.db"), journal: nil)) { _ in }
        let directory = scratch("locked")
        defer { chmod(directory, 0o700) }
        chmod(directory, 0o500)
        #expect(fault(directory + "/menshen.db").contains("may not write to \(directory)"))
        chmod(directory, 0o000)
        #expect(fault(directory + "/menshen.db").contains("Permission denied"))
        chmod(directory, 0o700)
        chmod(directory + "/menshen.db", 0o000)
        #expect(fault(directory + "/menshen.db").contains("chmod 600"))
    }
}
