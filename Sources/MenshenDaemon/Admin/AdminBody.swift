// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore

/// A flat object of JSON, as menshen's administration reads it.
package struct AdminBody {
    private var isEmpty = true
    private var text = Array("{".utf8)

    package init() {}

    package mutating func add(_ name: String, _ value: String) {
        begin(name)
        text.append(json: value)
    }

    package mutating func add(_ name: String, _ value: [String]) {
        begin(name)
        text.append(json: value)
    }

    package mutating func add(_ name: String, _ value: FlatObject.Value) {
        switch value {
        case .text(let text): add(name, text)
        case .list(let texts): add(name, texts)
        }
    }

    package var bytes: [UInt8] { text + Array("}".utf8) }

    private mutating func begin(_ name: String) {
        if !isEmpty { text.append(UInt8(ascii: ",")) }
        isEmpty = false
        text.append(json: name)
        text.append(UInt8(ascii: ":"))
    }
}
