// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CSystemd

package enum ServiceManager {
    /// True if systemd runs this machine or container.
    package static var isSystemd: Bool { sd_booted() > 0 }
}
