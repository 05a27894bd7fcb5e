//! Where connections are parked, and what wakes them: the table of slots, and the lanes that they stand in.
//!
//! A **lane** is a poller, the connections that are registered with it, and those of them that are to be looked at.
//! There is one for each processor that workers may take. Rules:
//! - A connection stands in one lane, so that whoever watches that answers it without asking anybody, and what it
//!   needs lies in the memory that is near.
//! - It is the lane of the processor that takes in its packets, so that a client, the kernel's work for it and the
//!   worker that answers come together; but for when that has many more than its share. Where they come to be taken in
//!   elsewhere it follows, after a while.
//! - Listeners are in all lanes, and each arrival is told to a watcher that has nothing to do.

use std::io;
use std::thread;

use super::connection::Connection;
use super::table::Table;
use super::wakes::Wakes;
use super::{LISTENER_TOKEN, WAKE_TOKEN};
use crate::sys::listener::Listener;
use crate::sys::poller::Poller;
use crate::sys::stream::Stream;

/// How many connections more than its share a lane may have, for being near to them. With 2, one client of 32 connections
/// was answered from two cores, of which it had one, and lost a sixth of its rate.
const NEAR_MAX: usize = 16;

/// What stands for the first listener among those that are to be looked at: more than there are connections.
pub(super) const FIRST_LISTENER: u32 = 1 << 31;

/// How many descriptors a lane takes.
pub(super) const DESCRIPTORS: usize = 2;

/// Where connections wait, and what wakes them.
#[derive(Debug)]
pub(super) struct Parking {
    pub(super) table: Table,
    lanes: Box<[Lane]>,
}

/// A poller, and who is to be looked at there without an event of its own.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) poller: Poller,
    pub(super) wakes: Wakes,
}

impl Parking {
    /// Room for so many connections, in so many lanes.
    pub(super) fn new(connections: usize, lanes: usize) -> io::Result<Parking> {
        Ok(Parking {
            table: Table::new(connections, lanes),
            lanes: (0..lanes).map(|_| Lane::new()).collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn lane(&self, at: usize) -> &Lane {
        &self.lanes[at]
    }

    pub(super) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Puts a connection into the slot that was reserved for it, and has workers told of what happens on it.
    pub(super) fn park(&self, number: u32, connection: Connection) -> io::Result<()> {
        let lane = choose(self.near(connection.stream()), self.table.in_lanes());
        let poller = &self.lanes[lane].poller;
        let register =
            |connection: &Connection| poller.register(connection.stream(), number.into());
        self.table.fill(number, connection, lane, register)
    }

    /// Has a connection follow its packets where they come in at another processor by now; for whoever owns it.
    ///
    /// Fails where it can be watched in no lane any more.
    pub(super) fn follow(&self, number: u32, stream: &Stream) -> io::Result<()> {
        // One that is alone has all processors for itself.
        if self.table.live() == 1 {
            return Ok(());
        }
        let before = self.table.lane_of(number);
        let Some(near) = self.near(stream).filter(|near| *near != before) else {
            return Ok(());
        };
        if choose(Some(near), self.table.in_lanes()) != near {
            return Ok(());
        }
        let register = |lane: usize| self.lanes[lane].poller.register(stream, number.into());
        self.lanes[before].poller.forget(stream)?;
        match register(near) {
            Ok(()) => {
                self.table.change_lane(number, near);
                Ok(())
            }
            Err(_) => register(before),
        }
    }

    /// Has a worker look at the connection with this number.
    pub(super) fn wake(&self, number: u32) {
        self.lanes[self.table.lane_of(number)].wakes.push(number);
    }

    /// Has workers told of whoever waits at a listener.
    pub(super) fn listen(&self, at: usize, listener: &Listener) -> io::Result<()> {
        let token = LISTENER_TOKEN + at as u64;
        let mut lanes = self.lanes.iter();
        lanes.try_for_each(|lane| lane.poller.register_shared(listener, token))
    }

    /// Has a worker of a lane look once more who waits at a listener, after those who have waited longer for it.
    pub(super) fn look_at(&self, at: usize, lane: usize) {
        self.lanes[lane].wakes.push(FIRST_LISTENER + at as u32);
    }

    pub(super) fn stop_listening(&self, listener: &Listener) {
        // What fails here is a listener that accepts no more already.
        for lane in &self.lanes {
            let _ = lane.poller.forget(listener);
        }
        let _ = listener.stop();
    }

    /// The lane of the processor that took in what came last, where there are several and that is known.
    fn near(&self, stream: &Stream) -> Option<usize> {
        match self.lanes.len() {
            1 => None,
            lanes => Some(stream.incoming_cpu()? as usize % lanes),
        }
    }
}

/// How many lanes there are for so many threads: one for each core, so that all of them answer, and a thread
/// more than that, which takes the place of one that has to wait for a disk.
pub(super) fn lanes_for(threads: usize) -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    threads.saturating_sub(1).clamp(1, cores)
}

/// Which of the lanes that have so many connections is to have one more: the near one, if there is one and it does not have
/// far more than its share, or the one with the fewest.
fn choose(near: Option<usize>, counts: impl Iterator<Item = usize> + Clone) -> usize {
    let (lanes, all) = (counts.clone().count(), counts.clone().sum::<usize>());
    let is_fair = |count: usize| count * lanes < all + lanes * NEAR_MAX;
    let near = near.filter(|near| counts.clone().nth(*near).is_some_and(is_fair));
    let fewest = || counts.clone().enumerate().min_by_key(|(_, count)| *count);
    near.or_else(|| fewest().map(|(lane, _)| lane)).unwrap_or(0)
}

impl Lane {
    fn new() -> io::Result<Lane> {
        let lane = Lane {
            poller: Poller::new()?,
            wakes: Wakes::new()?,
        };
        lane.poller.register(&lane.wakes, WAKE_TOKEN)?;
        Ok(lane)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::sys::testing::tcp_connection;

    /// What is told of it is told there, and nowhere else.
    #[test]
    fn a_connection_follows_its_packets() {
        let parking = Parking::new(4, 2).unwrap();
        let [_, number] = [(); 2].map(|()| parking.table.reserve().unwrap());
        let (stream, mut peer) = tcp_connection();
        peer.write_all(b"x").unwrap();
        let near = parking.near(&stream).unwrap();
        let (near_lane, far_lane) = (parking.lane(near), parking.lane(1 - near));
        parking.table.change_lane(number, 1 - near);
        far_lane.poller.register(&stream, number.into()).unwrap();
        parking.follow(number, &stream).unwrap();
        assert_eq!(parking.table.lane_of(number), near);
        assert_eq!(parking.table.in_lanes().nth(near), Some(1));
        assert_eq!(told(far_lane), []);
        assert_eq!(told(near_lane), [u64::from(number)]);
        // Where it belongs already it stays.
        parking.follow(number, &stream).unwrap();
        assert_eq!(told(near_lane), []);
    }

    /// What happens on the connections of a lane.
    fn told(lane: &Lane) -> Vec<u64> {
        let next = || lane.poller.look().unwrap().map(|woken| woken.token);
        let tokens = std::iter::from_fn(next);
        tokens.filter(|token| *token != WAKE_TOKEN).collect()
    }

    #[test]
    fn the_near_lane_is_taken_until_it_has_far_more_than_its_share() {
        for (near, counts, expected) in [
            (Some(0), &[0, 0][..], 0),
            (Some(1), &[0, 0], 1),
            (Some(0), &[NEAR_MAX - 1, 0], 0),
            (Some(0), &[2 * NEAR_MAX - 1, 0], 0),
            (Some(0), &[2 * NEAR_MAX, 0], 1),
            (Some(0), &[1000 + NEAR_MAX, 1000], 0),
            (Some(2), &[90, 80, 100, 70], 2),
            (Some(2), &[90, 80, 120, 70], 3),
            (None, &[0, 0], 0),
            (None, &[1, 0], 1),
            (None, &[3, 3, 2], 2),
        ] {
            let counts = counts.iter().copied();
            assert_eq!(
                choose(near, counts.clone()),
                expected,
                "{near:?} {counts:?}"
            );
        }
    }
}
