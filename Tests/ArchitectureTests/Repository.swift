// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
import Testing

/// Files of the repository this test was built from.
enum Repository {
    static let root: String = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

    static func text(_ path: String) throws -> String {
        let stream = try #require(fopen("\(root)/\(path)", "r"), "\(path) cannot be read")
        defer { fclose(stream) }
        var text: [UInt8] = []
        while case let byte = getc(stream), byte != EOF { text.append(UInt8(byte)) }
        return String(decoding: text, as: UTF8.self)
    }

    static func lines(_ path: String) throws -> [Substring] {
        try text(path).split(separator: "\n", omittingEmptySubsequences: false)
    }

    static func exists(_ path: String) -> Bool { access("\(root)/\(path)", F_OK) == 0 }

    /// Paths of the regular files below a directory, relative to the root; hidden ones and build products left out.
    static func files(below directory: String, ending suffixes: [String] = [""]) -> [String] {
        guard let stream = opendir("\(root)/\(directory)") else { return [] }
        defer { closedir(stream) }
        var found: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasPrefix(".") || name == "__pycache__" { continue }
            let path = "\(directory)/\(name)"
            if Int32(entry.pointee.d_type) == Int32(DT_DIR) {
                found += files(below: path, ending: suffixes)
            } else if suffixes.contains(where: { name.hasSuffix($0) }) {
                found.append(path)
            }
        }
        return found.sorted()
    }

    /// Names of the Swift and C targets below Sources, as Package.swift declares them.
    static func targets() throws -> [String] {
        var names: [String] = []
        for line in try lines("Package.swift") {
            let text = line.drop { $0 == " " }
            let starts = ["module(\"", "system(\"", ".target(name: \"", "name: \""]
            guard let start = starts.first(where: { text.hasPrefix($0) }) else {
                // A long list is laid out with the name on a line of its own.
                if text.hasPrefix("\""), text.hasSuffix("\","), text.dropFirst().dropLast(2).allSatisfy(\.isLetter) {
                    names.append(String(text.dropFirst().dropLast(2)))
                }
                continue
            }
            names.append(String(text.dropFirst(start.count).prefix { $0 != "\"" }))
        }
        return Set(names).filter { exists("Sources/\($0)") }.sorted()
    }
}
