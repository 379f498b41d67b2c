// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import Linux

/// A private directory for one run of the demo, removed with all that is in it.
final class DemoDirectory {
    let path: String

    /// Below $XDG_RUNTIME_DIR, which is memory and ours alone; below /tmp where that is missing, or so deep that a socket's
    /// path would not fit.
    init() throws(SystemError) {
        var failure: Int32 = ENOENT
        for parent in [Environment.value("XDG_RUNTIME_DIR"), "/tmp"].compactMap(\.self) where parent.utf8.count < 64 {
            var template = Array((parent + "/menshen-demo.XXXXXX").utf8CString)
            guard mkdtemp(&template) != nil, let resolved = realpath(template, nil) else {
                failure = errno
                continue
            }
            path = String(cString: resolved)
            free(resolved)
            return
        }
        throw SystemError("mkdtemp", code: failure, subject: "/tmp/menshen-demo.XXXXXX")
    }

    func file(_ name: String) -> String { path + "/" + name }

    func remove() {
        // A directory that holds files only.
        if let directory = opendir(path) {
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != ".", name != ".." { unlink(file(name)) }
            }
            closedir(directory)
        }
        rmdir(path)
    }
}
