// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import SQLite

/// A running menshen of its own directory. Belongs to the test's thread.
package final class DaemonUnderTest {
    package struct Options: Sendable {
        /// Unix socket inside the directory; nil for none.
        package var socket: String? = "run/m.sock"
        package var hasTCP = false
        /// Further arguments of `menshen serve`.
        package var arguments: [String] = []
        package var environment: [String: String] = [:]
        /// Listening sockets it is started by, as by systemd.
        package var inherited: [Int32] = []

        package init() {}
    }

    package let directory: TemporaryDirectory
    /// 0 without TCP.
    package let port: UInt16
    package let socketPath: String
    package let configurationPath: String
    package let process: ChildProcess
    private let manager: ManagerSocket
    private let errorPath: String

    /// Returns when it is ready for callers.
    package init(_ configuration: String, _ options: Options = Options(), in directory: TemporaryDirectory) throws {
        self.directory = directory
        configurationPath = try directory.write("config.toml", configuration)
        socketPath = directory.path(options.socket ?? "none")
        errorPath = directory.path("stderr")
        unlink(directory.path("notify"))
        manager = try ManagerSocket(directory.path("notify"))
        var environment = MenshenProgram.environment(directory).merging(options.environment) { $1 }
        environment["NOTIFY_SOCKET"] = manager.path
        var failure: any Error = TestFailure("no port is free")
        // Another program may take the port between the look and the start.
        for _ in 0..<5 {
            var arguments = [MenshenProgram.path, "serve", "--config", configurationPath]
            if options.socket != nil { arguments += ["--socket", socketPath] }
            let port = options.hasTCP ? try FreePort.next() : 0
            if port > 0 { arguments += ["--listen", ":\(port)"] }
            arguments += options.arguments
            if !options.inherited.isEmpty {
                environment["LISTEN_FDS"] = "\(options.inherited.count)"
                // Only the process itself can say its number.
                arguments = ["/bin/sh", "-c", "LISTEN_PID=$$; export LISTEN_PID; exec \"$@\"", "sh"] + arguments
            }
            let process = try ChildProcess(
                arguments, environment: environment, output: directory.path("stdout"), error: errorPath,
                inherited: options.inherited)
            do {
                try manager.wait(for: "READY=1", orUntil: process.ended.descriptor)
                self.process = process
                self.port = port
                return
            } catch {
                process.send(SIGKILL)
                _ = try process.wait()
                failure = TestFailure("\(error): \(TemporaryDirectory.read(errorPath) ?? "")")
                if port == 0 { break }
            }
        }
        throw failure
    }

    deinit { process.send(SIGKILL) }

    /// Everything it has logged.
    package var log: String { TemporaryDirectory.read(errorPath) ?? "" }
    package var databasePath: String { directory.path("state/menshen/menshen.db") }

    /// Sends SIGHUP and returns when the reload is done, whatever came of it.
    package func reload(_ configuration: String? = nil) throws {
        if let configuration { try directory.write("config.toml", configuration) }
        process.send(SIGHUP)
        var text = ""
        repeat {
            text = try manager.wait(for: "READY=1", orUntil: process.ended.descriptor)
        } while !text.contains("READY=1")
    }

    /// Returns when it has begun to stop; callers under way are still served.
    package func beginStop() throws {
        process.send(SIGTERM)
        try manager.wait(for: "STOPPING=1", orUntil: process.ended.descriptor)
    }

    /// Waits for a line of sd_notify.
    package func waitFor(_ line: String) throws { try manager.wait(for: line, orUntil: process.ended.descriptor) }

    /// Stops it and waits for its end, after which every record is complete.
    @discardableResult
    package func stop() throws -> ChildProcess.Exit {
        process.send(SIGTERM)
        return try process.wait()
    }

    package func kill() throws {
        process.send(SIGKILL)
        _ = try process.wait()
    }

    /// The records; of a daemon that has stopped they are final.
    package func rows() throws -> [RequestRow] { try RequestRow.all(databasePath) }

    /// The first column of what `sql` finds.
    package func texts(_ sql: String) throws -> [String?] {
        let statement = try Connection(path: databasePath, .readOnly, busyMilliseconds: 5000).prepare(sql)
        var texts: [String?] = []
        while try statement.step() { texts.append(statement.text(0)) }
        return texts
    }

    /// What nobody but menshen should do.
    package func change(_ sql: String) throws {
        try Connection(path: databasePath, .readWrite, busyMilliseconds: 5000).execute(sql)
    }

    /// Another program holds the write lock meanwhile.
    package func whileLocked(_ body: () throws -> Void) throws {
        let other = try Connection(path: databasePath, .readWrite, busyMilliseconds: 5000)
        try other.execute("BEGIN IMMEDIATE")
        try body()
        try other.execute("ROLLBACK")
    }

    /// Stored bodies, those of requests first.
    package func bodies() throws -> [String] {
        let statement = try Connection(path: databasePath, .readOnly, busyMilliseconds: 5000)
            .prepare("SELECT bytes FROM bodies ORDER BY kind, request_id")
        var bodies: [String] = []
        while try statement.step() { bodies.append(String(decoding: statement.bytes(0) ?? [], as: UTF8.self)) }
        return bodies
    }

    package func integrity() throws -> [String] {
        try Connection(path: databasePath, .readOnly, busyMilliseconds: 5000).integrityCheck()
    }

    /// Largest resident memory so far, in KiB.
    package var peakMemory: Int {
        let status = TemporaryDirectory.read("/proc/\(process.pid)/status") ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
        return Int(line.filter(\.isNumber)) ?? 0
    }
}
