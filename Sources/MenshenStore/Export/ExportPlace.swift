// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// How far an export has come. Behind it stands all that is settled later, whatever its id: the chain has the order in which
/// rows were settled.
package enum ExportPlace: Sendable, Equatable, CustomStringConvertible {
    /// Among the rows from before the chain: behind this id.
    case older(than: Int64)
    /// Behind this link.
    case behind(ChainPlace)

    package static let start = ExportPlace.older(than: 0)

    package init?(_ text: some StringProtocol) {
        if text.hasPrefix("older:"), let id = Int64(text.dropFirst(6)), id >= 0 {
            self = .older(than: id)
        } else if let place = ChainPlace(text) {
            self = .behind(place)
        } else {
            return nil
        }
    }

    package var description: String {
        switch self {
        case .older(let id): "older:\(id)"
        case .behind(let place): place.description
        }
    }
}
