// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// The built program, and how it is run once to its end.
package enum MenshenProgram {
    /// Beside the test bundle; `$MENSHEN_BINARY` names another one.
    package static let path: String = {
        if let given = getenv("MENSHEN_BINARY") { return String(cString: given) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes { bytes in
            bytes.withMemoryRebound(to: CChar.self) { text in
                text.baseAddress.map { readlink("/proc/self/exe", $0, text.count) } ?? 0
            }
        }
        let own = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
        return String(own[..<(own.lastIndex(of: "/") ?? own.endIndex)]) + "/menshen"
    }()

    package struct Result: Sendable {
        package let exit: ChildProcess.Exit
        package let output: String
        package let error: String
    }

    /// The environment of somebody whose home is `directory`.
    package static func environment(_ directory: TemporaryDirectory) -> [String: String] {
        var environment = [
            "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": directory.path,
            "XDG_CONFIG_HOME": directory.path("config"), "XDG_STATE_HOME": directory.path("state"),
            "XDG_RUNTIME_DIR": directory.path("run"),
        ]
        if let client = getenv("MENSHEN_HTTP") { environment["MENSHEN_HTTP"] = String(cString: client) }
        return environment
    }

    package static func run(
        _ arguments: [String], in directory: TemporaryDirectory, environment: [String: String] = [:]
    ) throws -> Result {
        let output = directory.path("output-\(unique())")
        let child = try ChildProcess(
            [path] + arguments, environment: Self.environment(directory).merging(environment) { $1 }, output: output,
            error: output + ".error")
        let exit = try child.wait()
        return Result(
            exit: exit, output: TemporaryDirectory.read(output) ?? "",
            error: TemporaryDirectory.read(output + ".error") ?? "")
    }

    private static func unique() -> UInt64 { UInt64.random(in: 0...UInt64.max) }
}
