// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CPrices

/// The table that is part of the program.
enum EmbeddedPrices {
    /// A copy; a table keeps of it what is asked for.
    static var bytes: [UInt8] {
        // SAFETY: a constant of the program, of this size.
        unsafe Array(UnsafeBufferPointer(start: cprices_address(), count: cprices_size))
    }
}
