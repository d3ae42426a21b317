import Glibc

/// Pages of a mapped file count as a process's resident memory while it keeps them.
package enum MappedPages {
    /// Gives back the pages of a part of a mapped file that has been read; they come again from the
    /// file where they are read again. The page with the part's end stays: the next part begins
    /// there.
    package static func release(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        let page = UInt(sysconf(Int32(_SC_PAGESIZE)))
        let first = UInt(bitPattern: start) / page * page
        let end = (UInt(bitPattern: start) + UInt(bytes.count)) / page * page
        guard end > first, let address = UnsafeMutableRawPointer(bitPattern: first) else { return }
        madvise(address, Int(end - first), MADV_DONTNEED)
    }
}
