//! Wakes workers for connections on which nothing has happened by itself: a turn has come, a deadline
//! has passed, more could be sent; and for listeners at which more may wait.
//!
//! Shape: a number is pushed, and the poller reports [`Wakes`] once more; whoever is told pops one.
//! Rules: for every number in the queue an event is on its way. Events may fall together, so whoever
//! pops asks for another one while numbers are left.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};

use crate::sys::poller::Bell;

/// The numbers of connections, and what stands for listeners, that are to be looked at.
#[derive(Debug)]
pub struct Wakes {
    numbers: Mutex<VecDeque<u32>>,
    bell: Bell,
}

impl Wakes {
    /// An empty queue; its descriptor is to be registered with the poller.
    pub fn new() -> io::Result<Wakes> {
        Ok(Wakes {
            numbers: Mutex::new(VecDeque::new()),
            bell: Bell::new()?,
        })
    }

    /// Has a worker look at the connection with this number.
    pub fn push(&self, number: u32) {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        // Behind another number an event is on its way already.
        let is_first = numbers.is_empty();
        numbers.push_back(number);
        drop(numbers);
        if is_first {
            self.bell.ring();
        }
    }

    /// Takes the number that was pushed first.
    pub fn pop(&self) -> Option<u32> {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let number = numbers.pop_front();
        let more = !numbers.is_empty();
        drop(numbers);
        if more {
            self.bell.ring();
        }
        number
    }
}

impl AsFd for Wakes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

#[cfg(test)]
mod tests;
