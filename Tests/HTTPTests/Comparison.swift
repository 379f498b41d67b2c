// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// Generated input, case after case, until five faults are found. MENSHEN_FUZZ_CASES asks for more cases;
/// MENSHEN_FUZZ_SEED repeats a run.
struct Comparison {
    static let cases = Fuzzing.cases(6_000)

    /// `judge` makes an input and says what is wrong with its reading; nil: nothing.
    static func run(
        _ what: String, _ judge: (inout RequestGenerator) throws -> (input: [UInt8], fault: String?)
    ) rethrows {
        let seed = Fuzzing.seed(what, cases)
        var generator = RequestGenerator(seed: seed)
        var found = 0
        for number in 0..<cases {
            let (input, fault) = try judge(&generator)
            guard let fault else { continue }
            found += 1
            Issue.record(
                "seed \(seed), case \(number): \(fault)\n\(String(decoding: input, as: UTF8.self).debugDescription)")
            if found == 5 { break }
        }
    }
}
