//! Those who wait, in the order in which their turns come: by client address, one after the other.
//!
//! Shape: an item enters for a [`Party`], and [`Line::take_next`] gives the one whose turn it is. Rules:
//! - Within a party, first come first served; of the parties each has one served, then the next one. Who
//!   asks for everything waits for himself, and who asks for one thing waits for one of everybody else's.
//! - The line is bounded. Where it is full, whoever has fewer in it comes in at the cost of the last of
//!   those who have most, if that makes their numbers more even; otherwise he is the one too many. So the
//!   bound, too, is met by who asks for most, and no two can displace each other in turn.
//! - Nobody is looked at who need not be: entering, leaving and serving take no longer where more wait,
//!   but for the search for who is to be displaced, at most once for each that comes in so.
//!
//! Not here: who may be served where, and how those who wait are woken (`admission.rs`).

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// All who count as one client: those at one IPv4 address, or in one /64 of IPv6, which is what one
/// subscriber has at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Party {
    /// An IPv4 address.
    V4([u8; 4]),
    /// The first half of an IPv6 address.
    V6([u8; 8]),
    /// Whoever comes to a unix socket, or by a proxy that does not tell for whom.
    Unnamed,
}

impl Party {
    /// Whom a client at this address counts to; without an address, to those who have none.
    pub fn of(address: Option<IpAddr>) -> Party {
        match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => Party::V4(address.octets()),
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Party::V6([a, b, c, d, e, f, g, h])
            }
            None => Party::Unnamed,
        }
    }
}

/// What came of entering.
#[derive(Debug, PartialEq, Eq)]
pub enum Entered<T> {
    /// It stands in line, under this number.
    Stands(u64),
    /// It does, in place of another one.
    InPlaceOf(u64, T),
    /// The line is full, and nobody in it has more there than this party.
    Full,
}

/// A line of at most so many.
#[derive(Debug)]
pub struct Line<T> {
    queues: HashMap<Party, VecDeque<(u64, T)>>,
    /// The parties that have somebody in line, whose turn is next first.
    turns: VecDeque<Party>,
    /// How many parties have one, two, ... in line, from the second place on.
    counts: Vec<usize>,
    /// How many the party has that has most.
    most: usize,
    len: usize,
    max: usize,
    next: u64,
}

impl<T> Line<T> {
    /// An empty line for `max`.
    pub fn new(max: usize) -> Line<T> {
        Line {
            queues: HashMap::new(),
            turns: VecDeque::new(),
            counts: Vec::new(),
            most: 0,
            len: 0,
            max,
            next: 0,
        }
    }

    /// How many stand in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Lets an item in, for a party.
    pub fn enter(&mut self, party: Party, item: T) -> Entered<T> {
        let own = self.queues.get(&party).map_or(0, VecDeque::len);
        let mut displaced = None;
        if self.len >= self.max {
            if self.most <= own + 1 {
                return Entered::Full;
            }
            displaced = self.displace();
        }
        let number = self.next;
        self.next += 1;
        if own == 0 {
            self.turns.push_back(party);
        }
        self.queues
            .entry(party)
            .or_default()
            .push_back((number, item));
        self.recount(own, own + 1);
        match displaced {
            None => Entered::Stands(number),
            Some(item) => Entered::InPlaceOf(number, item),
        }
    }

    /// Takes out the next one that suits: the first such of the party whose turn it is, or of the
    /// next one that has any.
    pub fn take_next(&mut self, suits: impl Fn(&T) -> bool) -> Option<T> {
        for turn in 0..self.turns.len() {
            let party = self.turns[turn];
            let queue = self.queues.get(&party)?;
            let Some(at) = queue.iter().position(|(_, item)| suits(item)) else {
                continue;
            };
            // Whether or not another one of theirs is left, their next turn is after all others'.
            self.turns.remove(turn);
            self.turns.push_back(party);
            return self.remove(party, at);
        }
        None
    }

    /// Takes out the item that entered for this party under this number, if it is there still.
    pub fn leave(&mut self, party: Party, number: u64) -> Option<T> {
        let queue = self.queues.get(&party)?;
        let at = queue
            .binary_search_by_key(&number, |(other, _)| *other)
            .ok()?;
        self.remove(party, at)
    }

    /// Takes out all that `goes` names, as they came.
    pub fn take_all(&mut self, goes: impl Fn(&T) -> bool) -> Vec<T> {
        let mut going: Vec<(u64, Party)> = Vec::new();
        for (&party, queue) in &self.queues {
            let those = queue.iter().filter(|(_, item)| goes(item));
            going.extend(those.map(|(number, _)| (*number, party)));
        }
        going.sort_unstable_by_key(|(number, _)| *number);
        let leave = |(number, party)| self.leave(party, number);
        going.into_iter().filter_map(leave).collect()
    }

    /// Takes out the last of the party that has most in line; of several such parties, the one whose
    /// last came last.
    fn displace(&mut self) -> Option<T> {
        let most = self.queues.iter().filter(|(_, it)| it.len() == self.most);
        let (&party, _) = most.max_by_key(|(_, queue)| queue.back().map(|(number, _)| *number))?;
        self.remove(party, self.most - 1)
    }

    fn remove(&mut self, party: Party, at: usize) -> Option<T> {
        let queue = self.queues.get_mut(&party)?;
        let (_, item) = queue.remove(at)?;
        let left = queue.len();
        if left == 0 {
            self.queues.remove(&party);
            // Most often the one that has just been served, which stands last.
            if let Some(turn) = self.turns.iter().rposition(|other| *other == party) {
                self.turns.remove(turn);
            }
        }
        self.recount(left + 1, left);
        Some(item)
    }

    /// Notes that a party has come to have one more or one less.
    fn recount(&mut self, before: usize, after: usize) {
        let longer = before.max(after);
        if self.counts.len() <= longer {
            self.counts.resize(longer + 1, 0);
        }
        self.counts[after] += 1;
        if before > 0 {
            self.counts[before] -= 1;
        }
        self.counts[0] = 0;
        if after > before {
            self.len += 1;
            self.most = self.most.max(after);
        } else {
            self.len -= 1;
            if before == self.most && self.counts[before] == 0 {
                self.most = after;
            }
        }
    }
}

#[cfg(test)]
mod tests;
