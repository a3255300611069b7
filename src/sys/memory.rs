//! Memory by the page, for what is never given back.
#![expect(unsafe_code, reason = "mmap")]

/// # Safety
/// All bytes zero are a valid value.
pub(crate) unsafe trait Zeroes {}

/// From this size on a mapping asks for large pages: looking up small ones is a good part of a cache miss.
const LARGE_PAGE: usize = 2 << 20;

/// `count` elements of zero bytes that stay for ever, page-aligned; none when there is no room. A page costs memory
/// only once it is touched.
pub(crate) fn zeroes<T: Zeroes>(count: usize) -> Option<&'static [T]> {
    const { assert!(align_of::<T>() <= 4096) };
    let bytes = count.checked_mul(size_of::<T>())?;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, placed by the kernel, disturbs nothing.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return None;
    }
    #[cfg(target_os = "linux")]
    if bytes >= LARGE_PAGE {
        // SAFETY: the range is the mapping just made. It is a wish; that it fails is no harm.
        unsafe { libc::madvise(start, bytes, libc::MADV_HUGEPAGE) };
    }
    // SAFETY: the mapping is `bytes` long, aligned to a page, zero, never unmapped, and zero bytes are a `T`.
    Some(unsafe { std::slice::from_raw_parts(start.cast::<T>(), count) })
}
