// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A line of what one request cost.
package struct CostPart: Sendable, Equatable {
    package let unit: PriceUnit
    /// Of sound in microseconds.
    package let count: Int64
    /// For the unit's `measure`, with what the place of inference adds.
    package let price: Money
    /// Rounded by itself; the whole cost is rounded once.
    package let money: Money
}
