// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// Which file a name led to. It may be deleted or replaced while it is open; then the name leads elsewhere.
struct FileIdentity: Equatable {
    let path: String
    private let device: UInt64
    private let inode: UInt64
    /// Something had that name.
    let wasThere: Bool

    init(_ path: String) { self.init(path) { lstat(path, &$0) } }

    /// The file behind a descriptor, whatever its name is now.
    init(descriptor: Int32, path: String) { self.init(path) { fstat(descriptor, &$0) } }

    private init(_ path: String, _ look: (inout stat) -> Int32) {
        self.path = path
        var status = stat()
        wasThere = look(&status) == 0
        device = wasThere ? UInt64(status.st_dev) : 0
        inode = wasThere ? UInt64(status.st_ino) : 0
    }

    /// The name leads to it.
    var isInPlace: Bool { wasThere && FileIdentity(path) == self }
}
