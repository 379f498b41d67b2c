// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Curl

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

/// Lines as libcurl wants them: "Name:" means that none is sent, "Name;" that it is sent empty.
extension HeaderList: HeaderSink {
    package func addHeader(line: UnsafeRawBufferPointer) {
        beginLine()
        append(line)
        endLine()
    }

    package func addHeader(empty name: UnsafeRawBufferPointer) {
        beginLine()
        append(name)
        append(";")
        endLine()
    }

    package func addHeader(_ start: StaticString, _ value: UnsafeRawBufferPointer) {
        beginLine()
        append(start)
        append(value)
        endLine()
    }

    package func addHeader(name: String, _ value: UnsafeRawBufferPointer) {
        var name = name
        name.withUTF8 { bytes in
            if value.isEmpty { return addHeader(empty: UnsafeRawBufferPointer(bytes)) }
            beginLine()
            append(UnsafeRawBufferPointer(bytes))
            append(": ")
            append(value)
            endLine()
        }
    }

    package func suppressHeader(_ name: StaticString) { add(name) }
}

/// Lines as they go out. Nothing is added that was not asked for, so there is nothing to suppress.
extension SendBuffer: HeaderSink {
    package func addHeader(line: UnsafeRawBufferPointer) {
        append(line)
        append("\r\n")
    }

    package func addHeader(empty name: UnsafeRawBufferPointer) {
        append(name)
        append(":\r\n")
    }

    package func addHeader(_ start: StaticString, _ value: UnsafeRawBufferPointer) {
        append(start)
        addHeader(line: value)
    }

    package func addHeader(name: String, _ value: UnsafeRawBufferPointer) {
        var name = name
        name.withUTF8 { append(UnsafeRawBufferPointer($0)) }
        append(": ")
        addHeader(line: value)
    }

    package func suppressHeader(_ name: StaticString) {}
}
