// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// How large something is.
struct Size {
    let name: String
    let count: Int
    let place: String

    init(_ name: String, _ count: Int, _ place: String) {
        self.name = name
        self.count = count
        self.place = place
    }
}

/// A limit of size, and what may be larger.
enum SizeLaw: String {
    case properties = "stored properties"
    case lines
    case functionLines = "lines of one function"

    var limit: Int {
        switch self {
        case .properties: 20
        case .lines: 600
        case .functionLines: 70
        }
    }

    /// Everything over the limit must be an exception, and every exception must still be one.
    func faults(_ sizes: [Size], _ exceptions: [Exception] = SizeLaw.exceptions) -> [String] {
        let excused = exceptions.filter { $0.law == self }.map(\.name)
        let larger = sizes.filter { $0.count > limit }
        return larger.filter { !excused.contains($0.name) }.map {
            "\($0.name) has \($0.count) \(rawValue): \($0.place)"
        }
            + excused.filter { name in !larger.contains { $0.name == name } }
            .map { "\($0) is an exception that is no longer needed" }
    }

    struct Exception {
        let name: String
        let law: SizeLaw
        let reason: String
    }

    /// Shorter is better; none is the aim.
    static let exceptions: [Exception] = []
}
