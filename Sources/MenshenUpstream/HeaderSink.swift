// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Takes the header lines of one request to a provider.
package protocol HeaderSink: AnyObject {
    /// A whole line "Name: value".
    func addHeader(line: UnsafeRawBufferPointer)
    /// A name that is sent without a value.
    func addHeader(empty name: UnsafeRawBufferPointer)
    /// `start` ends with the separator: "Name: ".
    func addHeader(_ start: StaticString, _ value: UnsafeRawBufferPointer)
    func addHeader(name: String, _ value: UnsafeRawBufferPointer)
    /// "Name:" keeps a header out that would be added by itself.
    func suppressHeader(_ name: StaticString)
}

extension HeaderSink {
    package func addHeader(_ start: StaticString, _ value: StaticString) {
        addHeader(start, UnsafeRawBufferPointer(start: value.utf8Start, count: value.utf8CodeUnitCount))
    }
}
