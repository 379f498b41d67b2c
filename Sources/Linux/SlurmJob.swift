// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The job that Slurm has started a process for, from the text of /proc/PID/cgroup.
package enum SlurmJob {
    /// A process elsewhere has no job, and its cgroup need not be read. Slurm's are in a unit of slurmd's, or, where systemd
    /// has no part in cgroups, in none.
    package static func isPossible(in unit: String?) -> Bool { unit.map { isSlurm($0[...]) } ?? true }

    /// Job and step as Slurm writes them: "123.0", "123.batch", "123". nil if no line is of a job. An element of an array of
    /// jobs has a number of its own.
    ///
    ///     0::/system.slice/slurmstepd.scope/job_123/step_0/user/task_0
    ///     4:memory:/slurm/uid_1000/job_123/step_batch/task_0
    package static func name(cgroup text: String) -> String? {
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "/").dropFirst()
            guard let slurm = parts.firstIndex(where: isSlurm),
                let place = parts[slurm...].firstIndex(where: { $0.hasPrefix("job_") }),
                case let job = parts[place].dropFirst(4), isNumber(job)
            else { continue }
            guard let step = parts[(place + 1)...].first, step.hasPrefix("step_") else { return String(job) }
            return "\(job).\(step.dropFirst(5).prefix(32))"
        }
        return nil
    }

    /// "slurmstepd.scope", "node7_slurmstepd.scope", "slurm", "slurm_node7".
    private static func isSlurm(_ part: Substring) -> Bool { part.contains("slurm") }

    private static func isNumber(_ text: Substring) -> Bool {
        (1...20).contains(text.utf8.count) && text.utf8.allSatisfy { (48...57).contains($0) }
    }
}
