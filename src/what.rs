//! Why a callback runs, and what a descriptor's event is interested in. libevent's numbers where it has one.

/// Its timeout expired.
pub const TIMEOUT: u32 = 0x01;
/// The descriptor can be read, or is at its end.
pub const READ: u32 = 0x02;
/// The descriptor can be written.
pub const WRITE: u32 = 0x04;
/// The signal came.
pub const SIGNAL: u32 = 0x08;
/// Interest: report changes only, not a state that lasts.
pub const EDGE: u32 = 0x20;
/// Somebody activated it.
pub const ACTIVATED: u32 = 0x40;
/// The other side closed the connection.
pub const CLOSED: u32 = 0x80;
/// Interest: not pending any more once it fired.
pub const ONESHOT: u32 = 0x100;
/// The loop went round.
pub const IDLE: u32 = 0x200;

/// What can be waited for on a descriptor.
pub(crate) const READINESS: u32 = READ | WRITE | CLOSED;
/// Every bit that an interest may have.
pub(crate) const INTEREST: u32 = READINESS | EDGE | ONESHOT;
