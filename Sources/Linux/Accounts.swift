// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// The users and groups that this machine knows, from wherever it knows them. May wait for a directory service.
package enum Accounts {
    package struct User: Sendable, Equatable {
        package let uid: UInt32
        package let gid: UInt32
        package let name: String
        /// All of its groups.
        package let groups: [UInt32]
    }

    /// nil if nobody has that name.
    package static func user(_ name: String) throws(SystemError) -> User? {
        try user { getpwnam_r(name, $0, $1, $2, $3) }
    }

    package static func user(_ uid: UInt32) throws(SystemError) -> User? {
        try user { getpwuid_r(uid, $0, $1, $2, $3) }
    }

    /// The number of a group; nil if none has that name.
    package static func group(_ name: String) throws(SystemError) -> UInt32? {
        try look(Glibc.group()) {
            getgrnam_r(name, $0, $1, $2, $3)
        } read: {
            $0.gr_gid
        }
    }

    private typealias Call<Entry> = (
        UnsafeMutablePointer<Entry>, UnsafeMutablePointer<CChar>, Int,
        UnsafeMutablePointer<UnsafeMutablePointer<Entry>?>
    ) -> Int32

    private static func user(_ call: Call<passwd>) throws(SystemError) -> User? {
        try look(passwd(), call) { entry in
            User(
                uid: entry.pw_uid, gid: entry.pw_gid, name: String(cString: entry.pw_name),
                groups: groups(of: entry.pw_name, entry.pw_gid))
        }
    }

    /// With more room each time, until the entry fits; no entry is longer than a megabyte.
    private static func look<Entry, Result>(
        _ empty: Entry, _ call: Call<Entry>, read: (Entry) -> Result
    ) throws(SystemError) -> Result? {
        var size = 4096
        while true {
            var entry = empty
            var found: UnsafeMutablePointer<Entry>?
            var result: Result?
            let code = withUnsafeTemporaryAllocation(of: CChar.self, capacity: size) { buffer -> Int32 in
                guard let start = buffer.baseAddress else { return ENOMEM }
                let code = call(&entry, start, buffer.count, &found)
                // What it points to is in the buffer.
                if code == 0, found != nil { result = read(entry) }
                return code
            }
            switch code {
            case 0, ENOENT, ESRCH, EBADF, EPERM: return result
            case EINTR: continue
            case ERANGE where size < 1 << 20: size *= 4
            default: throw SystemError("getpwnam", code: code, subject: "users and groups")
            }
        }
    }

    private static func groups(of name: UnsafePointer<CChar>, _ gid: UInt32) -> [UInt32] {
        var count = Int32(64)
        while true {
            let capacity = Int(count)
            var result = Int32(0)
            let groups = [UInt32](unsafeUninitializedCapacity: capacity) { buffer, filled in
                result = getgrouplist(name, gid, buffer.baseAddress, &count)
                filled = max(0, min(Int(count), capacity))
            }
            if result >= 0 || Int(count) <= capacity { return groups }
        }
    }
}
