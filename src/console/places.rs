//! Places for so many and no more.
//!
//! Rules: a place is given back by dropping it, also where a thread fails that has one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many are taken.
#[derive(Debug, Default)]
pub(super) struct Places(Arc<AtomicUsize>);

/// One of them.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicUsize>);

impl Places {
    /// Takes one, where there are so many; none where all are taken.
    pub(super) fn take(&self, max: usize) -> Option<Place> {
        let before = self.0.fetch_add(1, Ordering::SeqCst);
        // What is not handed on is given back at once.
        Some(Place(Arc::clone(&self.0))).filter(|_| before < max)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_whatever_became_of_who_had_it() {
        let places = Places::default();
        let first = places.take(2).unwrap();
        let second = places.take(2).unwrap();
        assert!(places.take(2).is_none());
        assert!(places.take(2).is_none());
        drop(first);
        let third = places.take(2).unwrap();
        assert!(places.take(2).is_none());
        let failed = std::thread::spawn(move || {
            let _second = second;
            panic!("a fault of this thread");
        });
        assert!(failed.join().is_err());
        let _fourth = places.take(2).unwrap();
        drop(third);
    }
}
