// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc

/// What /proc says about a caller: attribution for records, never authentication (anybody may start a program under
/// any unit name). About ten system calls, none of which waits for the caller or for a file system other than /proc.
package struct PeerProcess: Sendable, Equatable {
    /// Target of /proc/PID/exe; nil where the kernel does not let us look (another uid, a non-dumpable process).
    package let executable: String?
    /// Program name, at most 15 bytes; read only where there is no `executable`.
    package let command: String?
    /// The systemd unit it runs in, if it can be seen.
    package let unit: String?
    /// Job and step of Slurm.
    package let job: String?
    /// Its working directory, if that was asked for and the kernel lets us look.
    package let directory: String?

    /// The process that connected `socket`; nil if it is gone, or if its pid is outside our namespace. `unit` looks the
    /// process up by its number; what it says counts only if that is still the same process afterwards.
    package static func read(
        socket: Int32, peer: PeerIdentity, readsDirectory: Bool = false, unit: () -> String?
    ) -> PeerProcess? {
        let pidfd = clinux_peer_pidfd(socket)
        if pidfd >= 0 {
            let owned = OwnedDescriptor(pidfd)
            return read(pid: peer.pid, pidfd: owned.raw, readsDirectory: readsDirectory, unit: unit)
        }
        // Kernels before 6.5 know no such option. Any other error means that the process is gone.
        guard pidfd == -ENOPROTOOPT || pidfd == -EOPNOTSUPP else { return nil }
        return read(pid: peer.pid, pidfd: nil, readsDirectory: readsDirectory, unit: unit)
    }

    /// Reads the details through one descriptor of /proc/PID. It stays bound to one process: once that is gone every
    /// look through it fails, even if the number is given to another. What is left to ask, at the end, is whether that
    /// process is the one that connected. A pidfd that is alive then answers it for certain. Without one (Linux before
    /// 6.5) the process must be running still, and a number that was reused before we looked goes unseen.
    package static func read(
        pid: Int32, pidfd: Int32?, readsDirectory: Bool = false, unit: () -> String? = { nil }
    ) -> PeerProcess? {
        guard pid > 0 else { return nil }
        let raw = open("/proc/\(pid)", OwnedDescriptor.pathOnly | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else { return nil }
        let directory = OwnedDescriptor(raw)
        let executable = ProcessFile.link("exe", in: directory.raw)
        let command = executable == nil ? ProcessFile.read("comm", in: directory.raw) : nil
        // A link of /proc is read without a look at what it leads to.
        let working = readsDirectory ? ProcessFile.link("cwd", in: directory.raw) : nil
        let unit = unit()
        let cgroup = SlurmJob.isPossible(in: unit) ? ProcessFile.read("cgroup", in: directory.raw) : nil
        guard pidfd.map({ isAlive($0) }) ?? isRunning(directory.raw) else { return nil }
        return PeerProcess(
            executable: executable, command: command.map { withoutNewline($0) }, unit: unit,
            job: cgroup.flatMap(SlurmJob.name), directory: working)
    }

    /// A pidfd polls readable once its process has ended, before and after it is reaped (pidfd_open(2)): one call in
    /// place of the three that reading "Pid:" from its fdinfo takes.
    package static func isAlive(_ pidfd: Int32) -> Bool {
        var entry = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) == 0
    }

    /// False for a process that has ended, reaped or not. Takes the text of /proc/PID/stat: the state follows the last
    /// ")", because a program's name may hold blanks and brackets.
    package static func isRunning(stat: some BidirectionalCollection<UInt8>) -> Bool {
        guard let end = stat.lastIndex(of: UInt8(ascii: ")")) else { return false }
        let rest = stat[stat.index(after: end)...]
        guard rest.first == UInt8(ascii: " "), let state = rest.dropFirst().first else { return false }
        return state != UInt8(ascii: "Z") && state != UInt8(ascii: "X")
    }

    private static func isRunning(_ directory: Int32) -> Bool {
        ProcessFile.withContent("stat", in: directory) { isRunning(stat: $0) } ?? false
    }

    private static func withoutNewline(_ text: String) -> String {
        text.utf8.last == UInt8(ascii: "\n") ? String(text.dropLast()) : text
    }
}

/// Small reads below /proc.
enum ProcessFile {
    /// Longest cgroup text and link we look at; the kernel's own paths end there (PATH_MAX).
    private static let limit = 4096

    static func read(_ name: String, in directory: Int32) -> String? {
        withContent(name, in: directory) { String(decoding: $0, as: UTF8.self) }
    }

    static func withContent<Result>(
        _ name: String, in directory: Int32, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result? {
        let raw = openat(directory, name, O_RDONLY | O_CLOEXEC)
        guard raw >= 0 else { return nil }
        let file = OwnedDescriptor(raw)
        return withUnsafeTemporaryAllocation(byteCount: limit, alignment: 1) { buffer in
            let count = Glibc.read(file.raw, buffer.baseAddress, buffer.count)
            guard count >= 0 else { return nil }
            return body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    static func link(_ name: String, in directory: Int32) -> String? {
        withUnsafeTemporaryAllocation(byteCount: limit, alignment: 1) { buffer in
            guard let start = buffer.baseAddress else { return nil }
            let count = readlinkat(directory, name, start.assumingMemoryBound(to: CChar.self), buffer.count)
            guard count >= 0 else { return nil }
            return String(decoding: buffer[..<count], as: UTF8.self)
        }
    }
}
