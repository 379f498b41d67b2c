// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A small generator (xorshift64*) for the weighted choice of providers; nothing secret depends on it. The system's own
/// would be one system call a request.
struct Random {
    private var state = UInt64.random(in: 1 ... .max)

    /// Uniform in 0..<1.
    mutating func draw() -> Double {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return Double((state &* 0x2545_F491_4F6C_DD1D) >> 11) * 0x1p-53
    }
}
