//! The least rate at which a client must send or take bytes.
//!
//! Shape: how much was moved in all and the present moment go in, a deadline comes out. Rules: time is
//! cut into windows; each must bring its share, so that a fast beginning buys no later silence and a
//! byte now and then buys nothing at all.

use std::time::Duration;

use crate::sys::clock::Moment;

/// The least rate, in bytes a second, averaged over a window.
pub const LEAST_RATE: u64 = 256;

/// A least rate over windows of one length.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    window: Duration,
    ends: Moment,
    moved: u64,
}

impl Pace {
    /// A first window that begins now, when `moved` bytes were moved already.
    pub fn start(window: Duration, now: Moment, moved: u64) -> Pace {
        Pace {
            window,
            ends: now + window,
            moved,
        }
    }

    /// Takes notice that `moved` bytes were moved by now; begins a new window once this one has
    /// brought its share. Returns when the present window ends.
    pub fn advance(&mut self, now: Moment, moved: u64) -> Moment {
        let share = self.window.as_millis() as u64 * LEAST_RATE / 1000;
        if moved.saturating_sub(self.moved) >= share.max(1) {
            *self = Pace::start(self.window, now, moved);
        }
        self.ends
    }

    /// When the present window ends: whoever has not moved its share by then is too slow.
    pub fn ends(&self) -> Moment {
        self.ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    #[test]
    fn a_window_that_brings_its_share_is_followed_by_another() {
        let mut pace = Pace::start(WINDOW, Moment(0), 0);
        assert_eq!(pace.advance(Moment(4_000), 2_559), Moment(10_000));
        assert_eq!(pace.advance(Moment(5_000), 2_560), Moment(15_000));
    }

    #[test]
    fn a_fast_beginning_buys_no_later_silence() {
        let mut pace = Pace::start(WINDOW, Moment(0), 0);
        assert_eq!(pace.advance(Moment(1_000), 10 << 20), Moment(11_000));
        assert_eq!(pace.advance(Moment(10_000), (10 << 20) + 1), Moment(11_000));
    }
}
