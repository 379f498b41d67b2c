// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore
internal import TLS

/// For `menshen config check`: whether the files of certificates can be used. The daemon reads them with the first connection.
package enum TLSFilesCheck {
    /// A sentence for each provider whose connections could not be secured now, and what it would cost.
    package static func warnings(_ configuration: Configuration) -> [String] {
        configuration.providers.compactMap { provider in
            guard provider.turn.weight > 0, provider.baseURL.isTLS else { return nil }
            do throws(TLSFault) { try TLSClient(TLSFiles(provider)).check() } catch {
                return
                    "provider '\(provider.name)': \(error). Its requests would be answered 502 upstream_unreachable."
            }
            return nil
        }
    }
}
