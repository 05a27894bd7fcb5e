//! Journeys and the state as they come (server-sent events).
//!
//! Source: the HTML standard, section 9.2. Shape: the thread of a connection tells its client until he is gone; there are
//! few of them. Rules: a listener who cannot keep up is told of the newest, and never holds up a worker; one who is gone
//! is noticed by the state, which is sent each second.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use super::answers::{Answer, push_state, stream_head};
use super::ledger::Ledger;
use super::{Console, Host, view};
use crate::proto::json::Json;

/// How many listeners there are at once.
pub(super) const LISTENERS_MAX: usize = 8;

/// How often the state is sent.
const STATE: Duration = Duration::from_secs(1);

/// How long a listener is left alone after he was told of something.
const PACE: Duration = Duration::from_millis(100);

/// How many journeys he is told of at once; of more, the newest.
const BATCH_MAX: u64 = 64;

/// Tells a listener, until he is gone.
pub(super) fn tell(mut client: &UnixStream, console: &Console, host: &dyn Host) -> io::Result<()> {
    let Some(_place) = console.listeners.take(LISTENERS_MAX) else {
        let full = Answer::sentence(503, "There are as many listeners as there may be.");
        return full.send(client, false);
    };
    client.write_all((stream_head() + "retry: 1000\n\n").as_bytes())?;
    let mut told = console.ledger.after(u64::MAX).1 - 1;
    let mut state_due = Instant::now();
    loop {
        let now = Instant::now();
        if now >= state_due {
            state_due = now + STATE;
            let mut json = Json::new();
            push_state(&mut json, host);
            client.write_all(format!("event: state\ndata: {}\n\n", json.finish()).as_bytes())?;
        }
        console
            .ledger
            .wait(told, state_due.saturating_duration_since(Instant::now()));
        let (first, next) = console.ledger.after(told);
        if first == next {
            continue;
        }
        client.write_all(batch(&console.ledger, first, next, console.epoch).as_bytes())?;
        told = next - 1;
        thread::sleep(PACE);
    }
}

/// The journeys from `first` to before `next`, or the newest of them.
fn batch(ledger: &Ledger, first: u64, next: u64, epoch: u64) -> String {
    let mut text = String::new();
    for seq in first.max(next.saturating_sub(BATCH_MAX))..next {
        let mut json = Json::new();
        let found = ledger.look(seq, |journey| view::summary(&mut json, journey, epoch));
        if found.is_some() {
            text.push_str(&format!(
                "event: journey\nid: {seq}\ndata: {}\n\n",
                json.finish()
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_falls_behind_is_told_of_the_newest() {
        let ledger = Ledger::new(1, 256);
        (0..100).for_each(|_| drop(ledger.take(Box::default(), 0)));
        let (first, next) = ledger.after(90);
        let told = batch(&ledger, first, next, 0);
        assert_eq!(told.matches("event: journey\n").count(), 10);
        assert!(told.starts_with("event: journey\nid: 91\ndata: {\"seq\":91,"));
        let told = batch(&ledger, 1, next, 0);
        assert_eq!(told.matches("event: journey\n").count() as u64, BATCH_MAX);
        assert!(told.ends_with("}\n\n") && told.contains("\nid: 100\n"));
    }
}
