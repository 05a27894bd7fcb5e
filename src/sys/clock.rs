//! Time: a monotonic clock for deadlines, the wall clock for dates.
//!
//! Source: clock_gettime(2).
//! Shape: [`Moment`]s are milliseconds since the clock was made, small enough for an atomic, so that
//! the janitor can look at ten thousand deadlines without taking a lock.
//! Rules: moments and dates, which every request needs several of, are those of the kernel's last tick
//! (1 to 10 ms ago): that costs a fifth of asking the hardware. No deadline is that exact.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A point on the monotonic clock, in milliseconds since its [`Clock`] was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl Moment {
    /// Later than every other moment.
    pub const NEVER: Moment = Moment(u64::MAX);

    /// How long it is from this moment until `later`; zero when that is past.
    pub fn until(self, later: Moment) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0))
    }
}

impl std::ops::Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, span: Duration) -> Moment {
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Moment(self.0.saturating_add(millis))
    }
}

/// The monotonic clock that all deadlines of a server are read against.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// When it was made, in microseconds.
    first: u64,
    /// The tick that it was made in, in milliseconds.
    first_tick: u64,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Clock {
        Clock {
            first: monotonic_micros(),
            first_tick: tick(),
        }
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        Moment(tick().saturating_sub(self.first_tick))
    }

    /// Microseconds since the clock was made, for durations in the log.
    pub fn micros(&self) -> u64 {
        monotonic_micros().saturating_sub(self.first)
    }
}

/// Seconds since 1970 by the wall clock; 0 when it stands before that.
pub fn epoch_seconds() -> u64 {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    u64::try_from(now.tv_sec).unwrap_or(0)
}

/// Microseconds since 1970 by the wall clock; 0 when it stands before that.
#[cfg(feature = "console")]
pub fn epoch_micros() -> u64 {
    let now = clock_gettime(ClockId::Realtime);
    let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
    u64::try_from(micros).unwrap_or(0)
}

/// Microseconds of the monotonic clock, which all processes share.
pub(super) fn monotonic_micros() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // Neither is ever negative.
    now.tv_sec.cast_unsigned() * 1_000_000 + now.tv_nsec.cast_unsigned() as u64 / 1_000
}

/// A stamp that this process and those that it starts can compare: microseconds of the monotonic clock, of which
/// 31 bits are kept.
pub(super) fn stamp() -> i32 {
    (monotonic_micros() & u64::from(STAMP_MASK)) as i32
}

/// The microseconds from one stamp to a later one, which may be half an hour apart.
pub(super) fn since(earlier: i32, later: i32) -> u32 {
    later.wrapping_sub(earlier).cast_unsigned() & STAMP_MASK
}

const STAMP_MASK: u32 = u32::MAX >> 1;

/// The kernel's last tick, in milliseconds of the monotonic clock.
fn tick() -> u64 {
    let tick = clock_gettime(ClockId::MonotonicCoarse);
    // Neither is ever negative.
    tick.tv_sec.cast_unsigned() * 1_000 + tick.tv_nsec.cast_unsigned() as u64 / 1_000_000
}

#[cfg(test)]
mod tests;
