// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Linux
import Testing

@Suite struct SlurmJobTests {
    @Test(
        arguments: [
            ("0::/system.slice/slurmstepd.scope/job_123/step_0/user/task_0\n", "123.0"),
            ("0::/system.slice/slurmstepd.scope/job_123/step_batch/user/task_0\n", "123.batch"),
            ("0::/system.slice/slurmstepd.scope/job_7/step_extern/user/task_special\n", "7.extern"),
            ("0::/system.slice/node7_slurmstepd.scope/job_7/step_interactive/user/task_1", "7.interactive"),
            // Of version 1, with the lines of other controllers before it.
            (
                """
                11:devices:/slurm/uid_1000/job_4711/step_2
                10:memory:/slurm/uid_1000/job_4711/step_2/task_3
                1:name=systemd:/system.slice/slurmd.service
                """, "4711.2"
            ),
            (
                """
                12:pids:/user.slice/user-1000.slice
                9:memory:/slurm_node7/uid_1000/job_4711/step_batch/task_0
                """, "4711.batch"
            ),
            ("5:cpuset:/slurm/uid_1000/job_4711\n", "4711"),
            ("0::/system.slice/slurmstepd.scope/system\n", nil), ("0::/system.slice/slurmd.service\n", nil),
            ("0::/user.slice/user-1000.slice/session-3.scope\n", nil), ("0::/\n", nil), ("", nil),
            // Somebody else's words.
            ("0::/user.slice/job_12/step_0\n", nil), ("0::/slurm/job_/step_0\n", nil),
            ("0::/slurm/job_1a/step_0\n", nil),
            ("0::/slurm/job_123456789012345678901/step_0\n", nil),
        ] as [(String, String?)])
    func `job and step are read from the text of a cgroup`(_ text: String, _ name: String?) {
        #expect(SlurmJob.name(cgroup: text) == name)
    }

    @Test(
        arguments: [
            (nil, true), ("slurmstepd.scope", true), ("slurmd.service", true), ("node1_slurmstepd.scope", true),
            ("session-3.scope", false), ("notebook.service", false),
        ] as [(String?, Bool)])
    func `in the units of ordinary processes nothing is read for it`(_ unit: String?, _ isPossible: Bool) {
        #expect(SlurmJob.isPossible(in: unit) == isPossible)
    }
}
