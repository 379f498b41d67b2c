// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// A new 0700 directory that goes away, with what is in it, when its owner does. Its name is short, because paths of
/// Unix sockets are.
package final class TemporaryDirectory: Sendable {
    package let path: String

    package init() throws {
        var template = Array("/tmp/menshen-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestFailure("mkdtemp: errno \(errno)") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.removeAll(path) }

    package func path(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file of that mode, in place of one that is there.
    @discardableResult
    package func write(_ name: String, _ text: String, mode: UInt32 = 0o600) throws -> String {
        let file = path(name)
        unlink(file)
        let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw TestFailure("open \(file): errno \(errno)") }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count, fchmod(descriptor, mode) == 0 else {
            throw TestFailure("write \(file): errno \(errno)")
        }
        return file
    }

    package func remove(_ name: String) { unlink(path(name)) }

    package func changeMode(_ name: String, _ mode: UInt32) throws {
        guard chmod(path(name), mode) == 0 else { throw TestFailure("chmod \(name): errno \(errno)") }
    }

    package func link(_ name: String, to target: String) throws {
        guard symlink(target, path(name)) == 0 else { throw TestFailure("symlink \(name): errno \(errno)") }
    }

    package func makeDirectory(_ name: String, mode: UInt32 = 0o700) throws -> String {
        let directory = path(name)
        guard mkdir(directory, mode) == 0, chmod(directory, mode) == 0 else {
            throw TestFailure("mkdir \(directory): errno \(errno)")
        }
        return directory
    }

    /// The whole file as text; nil if there is none.
    package static func read(_ path: String) -> String? { bytes(path).map { String(decoding: $0, as: UTF8.self) } }

    package static func bytes(_ path: String) -> [UInt8]? {
        guard let stream = fopen(path, "re") else { return nil }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = fread(&piece, 1, piece.count, stream)
            if count == 0 { return bytes }
            bytes += piece[..<count]
        }
    }

    /// The text of every file in a directory and those below it.
    package static func contents(_ path: String) -> [String] {
        names(path).flatMap { name in
            let entry = "\(path)/\(name)"
            return names(entry).isEmpty ? [read(entry) ?? ""] : contents(entry)
        }
    }

    /// What a directory holds; nothing for a file or a link.
    private static func names(_ path: String) -> [String] {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0, let directory = fdopendir(descriptor) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Permission bits; nil if nothing is there.
    package static func mode(_ path: String) -> UInt32? {
        var status = stat()
        return lstat(path, &status) == 0 ? UInt32(status.st_mode & 0o7777) : nil
    }

    private static func removeAll(_ path: String) {
        for name in names(path) { removeAll("\(path)/\(name)") }
        Glibc.remove(path)
    }
}
