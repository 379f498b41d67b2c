// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// A user that is not us. Only root can give files to somebody else.
enum OtherUser {
    static let uid: UInt32 = 65533
    static var isPossible: Bool { geteuid() == 0 }
}
