// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc

package enum OpenFiles {
    /// Neither this process nor the system has a descriptor left. Asked after a failure whose cause a library does not tell.
    package static var areUsedUp: Bool {
        let descriptor = clinux_eventfd()
        if descriptor >= 0 { close(descriptor) }
        return -descriptor == EMFILE || -descriptor == ENFILE
    }
}
