//! The worker loop: wait for an event, claim its connection, drive it, let go.
//!
//! Rules: a worker keeps the buffers that a request needs for a moment, so that parked connections
//! need none and a request on the common path allocates nothing. A panic while a connection is driven
//! costs that connection alone.

#[cfg(feature = "console")]
use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

#[cfg(feature = "fastcgi")]
use super::APPLICATION_TOKEN;
use super::access_log::Entry;
use super::connection::{Connection, Next};
use super::origin::{Origin, Peer};
use super::parking::{FIRST_LISTENER, Lane};
use super::record::Record;
use super::served::{Hosted, Served};
use super::supervision::SIGN;
use super::{LISTENER_TOKEN, Server, WAKE_TOKEN};
#[cfg(feature = "console")]
use crate::console::journey::Journey;
use crate::proto::cgi::meta::MetaVariables;
use crate::proto::http::conditional::http_date;
use crate::proto::http::head::RequestHead;
use crate::sys::buffer::{self, Buffer};
use crate::sys::clock::{Moment, epoch_seconds};
use crate::sys::listener::Accepted;
use crate::sys::poller::Woken;

/// The size of the buffer that requests are read into.
const INPUT_LEN: usize = 16 << 10;

/// The size of the buffer that a program's output is read into.
const OUTPUT_LEN: usize = 64 << 10;

/// After so many events in a row that were there already, a quarter of a second's work, another worker
/// is called to help. Calling sooner pays nowhere: a thread more than there are idle processors only
/// takes turns with the others.
const BEHIND: u32 = 32768;

/// How many connections are accepted before others have their turn.
const ACCEPTED_PER_TURN: u32 = 16;

/// How often a connection is parked before it is looked whether its packets come in elsewhere by now.
const FOLLOWED: u32 = 64;

/// How long a worker rests when the system does not let it wait for events.
const WAIT_PAUSE: Duration = Duration::from_millis(100);

/// What one thread needs to serve any connection.
#[derive(Debug)]
pub struct Worker<'s> {
    /// The server it works for.
    pub server: &'s Server,
    /// What is served.
    pub served: Arc<Served>,
    served_number: u64,
    /// A head that is parsed into again and again.
    pub head: RequestHead,
    /// Meta-variables that are made in the same memory again and again.
    pub variables: MetaVariables,
    /// What a program's pipes are read into.
    pub buffer: Buffer,
    input: Vec<u8>,
    output: Vec<u8>,
    date: ([u8; 29], u64),
    is_seated: bool,
    /// Where it watches while it has a seat.
    lane: usize,
    /// How many events in a row did not have to be waited for.
    found_at_once: u32,
    /// The memory of a journey that is no longer kept, for the next one.
    #[cfg(feature = "console")]
    spare: RefCell<Option<Box<Journey>>>,
}

impl<'s> Worker<'s> {
    /// A worker for this server.
    pub fn new(server: &'s Server) -> Worker<'s> {
        Worker {
            server,
            served_number: server.current.number(),
            served: server.current.served(),
            head: RequestHead::default(),
            variables: MetaVariables::default(),
            buffer: Buffer::new(OUTPUT_LEN),
            input: Vec::new(),
            output: Vec::new(),
            date: (http_date(0), 0),
            is_seated: false,
            lane: 0,
            found_at_once: 0,
            #[cfg(feature = "console")]
            spare: RefCell::default(),
        }
    }

    /// Serves until the process ends.
    pub fn work(&mut self) {
        let server = self.server;
        loop {
            match self.next_event() {
                Ok(woken) if woken.token == WAKE_TOKEN => match self.lane().wakes.pop() {
                    Some(SIGN) => server.supervision.give_sign(),
                    Some(number) if number >= FIRST_LISTENER => {
                        self.accept_some((number - FIRST_LISTENER) as usize);
                    }
                    Some(number) => self.attend(number),
                    None => {}
                },
                #[cfg(feature = "fastcgi")]
                Ok(woken) if woken.token >= APPLICATION_TOKEN => self.attend_application(woken),
                Ok(woken) if woken.token >= LISTENER_TOKEN => {
                    // There are at most as many as the operator named.
                    self.accept_some((woken.token - LISTENER_TOKEN) as usize);
                }
                // Below LISTENER_TOKEN tokens are numbers of slots.
                Ok(woken) => {
                    let number = woken.token as u32;
                    self.server.parking.table.slot(number).hear(woken.hung_up);
                    self.attend(number);
                }
                // Nobody else would do what this worker is there for.
                Err(error) => {
                    log::error!("no event can be waited for: {error}");
                    thread::sleep(WAIT_PAUSE);
                }
            }
        }
    }

    /// Watches for the next event; sleeps while others do.
    fn next_event(&mut self) -> io::Result<Woken> {
        let seats = &self.server.seats;
        loop {
            if !self.is_seated {
                self.lane = seats.take();
                self.is_seated = true;
                self.found_at_once = 0;
            }
            match seats.watch(self.lane, || self.lane().poller.wait()) {
                Some(woken) => {
                    self.found_at_once += 1;
                    if woken.as_ref().is_ok_and(|woken| woken.was_awaited) {
                        self.found_at_once = 0;
                    } else if self.found_at_once.is_multiple_of(BEHIND) {
                        seats.call(self.lane);
                    }
                    return woken;
                }
                None => match self.lane().poller.look()? {
                    Some(woken) => return Ok(woken),
                    None => self.leave_seat(),
                },
            }
        }
    }

    fn lane(&self) -> &'s Lane {
        self.server.parking.lane(self.lane)
    }

    /// Takes notice of what is served now.
    pub fn look_what_is_served(&mut self) {
        let number = self.server.current.number();
        if number != self.served_number {
            self.served_number = number;
            self.served = self.server.current.served();
        }
    }

    /// Has another worker watch, before something that may take a while.
    pub fn call(&self) {
        self.server.seats.call(self.lane);
    }

    /// Leaves the seat to another worker, before a program is run.
    pub fn leave_seat(&mut self) {
        if self.is_seated {
            self.is_seated = false;
            self.server.seats.leave(self.lane);
        }
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        self.server.clock.now()
    }

    /// Seconds since the epoch.
    pub fn seconds(&self) -> u64 {
        epoch_seconds()
    }

    /// The present date as a Date field has it.
    pub fn date(&mut self) -> [u8; 29] {
        let now = epoch_seconds();
        if self.date.1 != now {
            self.date = (http_date(now), now);
        }
        self.date.0
    }

    /// A line for the access log, and what the console is told, as far as they are there: of whom a request is
    /// from, and the user that was verified.
    pub fn entry(
        &mut self,
        hosted: &Hosted,
        (origin, user): (&Origin, Option<&str>),
        request_line: &[u8],
        head: &RequestHead,
        started: u64,
        record: Record,
    ) -> Option<Box<Entry>> {
        let log = &hosted.access_log;
        let mut entry = match log.is_on() {
            true => {
                let (date, whom) = (self.date(), &origin.whom);
                let format = &log.format;
                let mut entry = Entry::new(format, whom, user, request_line, head, &date, started);
                entry.log = Some(Arc::clone(log));
                entry
            }
            #[cfg(feature = "console")]
            false if record.is_kept() => Entry::unwritten(started),
            false => return None,
        };
        entry.record = record;
        #[cfg(feature = "console")]
        entry.record.come(hosted, &origin.whom, request_line);
        Some(Box::new(entry))
    }

    /// What is to be kept of an exchange that began then, if the console is on.
    #[cfg_attr(not(feature = "console"), allow(clippy::unused_self))]
    pub fn record(&self, started: u64) -> Record {
        #[cfg(feature = "console")]
        if self.server.console.is_some() {
            let spare = self.spare.take();
            return Record::begin(spare.unwrap_or_default(), started);
        }
        let _ = started;
        Record::default()
    }

    /// When an exchange begins that does so now, for the access log or the console if there is one.
    pub fn started(&self, hosted: &Hosted) -> u64 {
        if hosted.access_log.is_on() || self.server.has_console() {
            self.server.clock.micros()
        } else {
            0
        }
    }

    /// Writes the line of an exchange that has ended, and tells the console of it.
    #[cfg_attr(
        not(feature = "console"),
        allow(clippy::boxed_local, reason = "it is the console's to keep")
    )]
    pub fn log(&self, entry: Box<Entry>) {
        let now = self.server.clock.micros();
        entry.write(now);
        #[cfg(feature = "console")]
        if let Some(console) = &self.server.console {
            let mut entry = entry;
            let Entry {
                status,
                reason,
                body_len,
                ..
            } = *entry;
            if let Some(journey) = entry.record.end(status, reason, body_len, now) {
                self.spare.replace(console.ledger.take(journey, self.lane));
            }
        }
    }

    /// Something happened on a connection to an application.
    #[cfg(feature = "fastcgi")]
    fn attend_application(&mut self, woken: Woken) {
        let applications = &self.server.applications;
        if let Some(number) = applications.concerned(woken.token, woken.hung_up) {
            self.attend(number);
        }
    }

    fn attend(&mut self, number: u32) {
        let server = self.server;
        let slot = server.parking.table.slot(number);
        slot.attend(|place| {
            let Some(connection) = place else { return };
            connection.hear(slot.take_heard(), slot.is_hung_up());
            let driven = catch_unwind(AssertUnwindSafe(|| self.drive(connection)));
            connection.parked = connection.parked.wrapping_add(1);
            let follows = connection.parked.is_multiple_of(FOLLOWED);
            match driven.unwrap_or(Next::Close) {
                // One that can be watched in no lane is closed, too.
                next @ (Next::Park | Next::Turn)
                    if !follows || server.parking.follow(number, connection.stream()).is_ok() =>
                {
                    let (deadline, idle_since) = (connection.deadline(), connection.idle_since());
                    slot.park(deadline, idle_since, connection.standing());
                    if next == Next::Turn {
                        server.parking.wake(number);
                    }
                }
                _ => {
                    *place = None;
                    server.closed(number);
                }
            }
        });
    }

    fn drive(&mut self, connection: &mut Connection) -> Next {
        self.look_what_is_served();
        self.lend(connection);
        let next = connection.drive(self);
        self.take_back(connection);
        next
    }

    /// Gives a connection the buffers of this worker, with the little that it has received before.
    /// Read into its own, a head that comes byte by byte would be given the room of a read, and keep it.
    fn lend(&mut self, connection: &mut Connection) {
        let received = connection.input.len() - connection.consumed;
        if received <= INPUT_LEN / 2 {
            let mut lent = std::mem::take(&mut self.input);
            lent.clear();
            // Where there is no memory for it, the next read fails.
            if buffer::reserve(&mut lent, INPUT_LEN).is_ok() {
                lent.extend_from_slice(&connection.input[connection.consumed..]);
                connection.input = lent;
                connection.consumed = 0;
            }
        }
        if connection.outgoing.is_empty() {
            connection
                .outgoing
                .swap_buffer(std::mem::take(&mut self.output));
        }
    }

    /// Takes the buffers back; what is still needed stays with the connection, in no more memory than
    /// it needs.
    fn take_back(&mut self, connection: &mut Connection) {
        let rest = &connection.input[connection.consumed..];
        if rest.is_empty() || connection.input.capacity() >= INPUT_LEN {
            let kept = rest.to_vec();
            self.input = std::mem::replace(&mut connection.input, kept);
            connection.consumed = 0;
        }
        if connection.outgoing.is_empty() {
            self.output = connection.outgoing.swap_buffer(Vec::new());
            self.output.clear();
        }
        self.input.shrink_to(4 * INPUT_LEN);
        self.output.shrink_to(4 * INPUT_LEN);
    }

    /// Accepts who waits at a listener, and goes on with that after others have had their turn.
    fn accept_some(&mut self, listener: usize) {
        if self.accept(listener) {
            self.server.parking.look_at(listener, self.lane);
        }
    }

    /// Accepts who waits at a listener, a turn's worth of them; returns whether there may be more.
    pub fn accept(&mut self, listener: usize) -> bool {
        let server = self.server;
        let Some(socket) = server.listeners.at(listener) else {
            return false;
        };
        self.look_what_is_served();
        let served = Arc::clone(&self.served);
        let mut may_evict = true;
        for _ in 0..ACCEPTED_PER_TURN {
            if server.is_stopping() {
                return false;
            }
            let Some(number) = server.reserve(&socket) else {
                return false;
            };
            match socket.accept() {
                Accepted::Connection(stream, peer) => {
                    let now = self.now();
                    let deadline = now + served.settings.header_timeout;
                    let proxies = &served.settings.proxies;
                    let peer = Peer::new(peer, proxies);
                    let mut connection =
                        Connection::new(stream, number, listener, peer, now, deadline);
                    if peer.owes_preamble(proxies) {
                        connection.expect_preamble();
                    }
                    let parking = &server.parking;
                    let filled = parking.park(number, connection);
                    if let Err(error) = filled {
                        // The next one would fare no better.
                        log::warn!(
                            "a connection is lost, and none is accepted for a second: {error}"
                        );
                        server.closed(number);
                        server.pause_accepting();
                        return false;
                    } else if parking.table.slot(number).is_marked() {
                        parking.wake(number);
                    }
                }
                Accepted::Nobody => {
                    server.closed(number);
                    return false;
                }
                Accepted::Exhausted(error) => {
                    server.closed(number);
                    // One that closes may make room, unless it is not descriptors that are wanting.
                    if !(std::mem::take(&mut may_evict) && server.evict_idle()) {
                        log::warn!("no connection can be accepted for a second: {error}");
                        server.pause_accepting();
                        return false;
                    }
                }
            }
        }
        true
    }
}
