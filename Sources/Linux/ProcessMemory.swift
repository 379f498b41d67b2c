// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux

/// How the process holds its memory.
package enum ProcessMemory {
    /// One heap for all threads, grown in steps of a megabyte. glibc gives each further thread a heap of its own that grows
    /// by an mprotect(2) per few kilobytes: four of them for each new stream, a fifth of a burst's system calls. The few
    /// threads here seldom meet at the heap's lock, because small blocks come from a cache of each thread's own.
    /// Before other threads start.
    package static func shareHeap() { clinux_share_heap() }

    /// Gives back what was freed; costs some milliseconds after much was.
    package static func trim() { clinux_trim_heap() }

    /// Gives back the pages of code that only the start needed, 8 of 21 MiB resident; what serving needs comes back from
    /// the page cache as it is touched.
    package static func releaseStartUpCode() { clinux_release_code() }
}
