//! Hands a kernel object that becomes readable (a pidfd, an inotify instance) to the runtime, to be waited for.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers `object` with the current runtime.
#[expect(deprecated, reason = "its successor is unsafe for types that may close early; an OwnedFd does not")]
pub(super) fn register(object: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(object, Interest::READABLE)
}
