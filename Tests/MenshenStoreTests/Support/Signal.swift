// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import Testing

/// Lets one thread wait for another, ten seconds at most.
final class Signal: Sendable {
    // SAFETY: semaphores are for use by several threads; the memory lives as long as the object.
    nonisolated(unsafe) private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { sem_init(semaphore, 0, 0) }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func post() { sem_post(semaphore) }

    func wait() {
        var until = timespec()
        clock_gettime(CLOCK_REALTIME, &until)
        until.tv_sec += 10
        if sem_timedwait(semaphore, &until) != 0 { Issue.record("nothing arrived within ten seconds") }
    }
}
