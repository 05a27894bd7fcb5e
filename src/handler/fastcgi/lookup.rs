//! Looks up the name of a backend, on a thread of its own.
//!
//! Shape: a [`Lookup`] belongs to a backend; who is to connect to it gets the [`Flight`] that is under
//! way, or begins one, and is woken when that has landed. Rules: a name server may take its time, and
//! nobody waits for it but that one thread: a name that cannot be looked up holds up no file. What a
//! flight brings is for those who were there before it landed; whoever comes later looks up anew.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use crate::handler::admission::Wake;

/// The stack of the thread: what resolvers ask of a small one.
const STACK: usize = 256 << 10;

/// The lookups of one backend's name, one at a time.
#[derive(Debug, Default)]
pub struct Lookup {
    current: Mutex<Option<Arc<Flight>>>,
}

/// One lookup.
#[derive(Debug, Default)]
pub struct Flight {
    landed: OnceLock<io::Result<Vec<SocketAddr>>>,
    waiting: Mutex<Vec<u32>>,
}

impl Lookup {
    /// Has the client's connection with this number woken when the addresses are known.
    pub fn join(&self, host: &str, port: u16, client: u32, wake: &Wake) -> Arc<Flight> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = current.as_ref().filter(|flight| flight.is_under_way());
        if let Some(flight) = under_way {
            flight.waiting().push(client);
            return Arc::clone(flight);
        }
        let flight = Arc::new(Flight::default());
        flight.waiting().push(client);
        *current = Some(Arc::clone(&flight));
        drop(current);
        let (host, woken) = (host.to_owned(), wake.clone());
        let flown = Arc::clone(&flight);
        let builder = thread::Builder::new().name("lookup".to_owned());
        let begun = builder.stack_size(STACK).spawn(move || {
            let addresses = (host.as_str(), port).to_socket_addrs();
            flown.land(addresses.map(Iterator::collect), &woken);
        });
        if let Err(error) = begun {
            // Whoever has joined meanwhile is woken too.
            flight.land(Err(error), wake);
        }
        flight
    }
}

impl Flight {
    /// The addresses, once they are known.
    pub fn addresses(&self) -> Option<io::Result<Vec<SocketAddr>>> {
        Some(match self.landed.get()? {
            Ok(addresses) => Ok(addresses.clone()),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        })
    }

    fn is_under_way(&self) -> bool {
        self.landed.get().is_none()
    }

    /// Who joins after the result is there sees it without being woken.
    fn land(&self, addresses: io::Result<Vec<SocketAddr>>, wake: &Wake) {
        // A flight lands once.
        let _ = self.landed.set(addresses);
        let waiting = std::mem::take(&mut *self.waiting());
        waiting.into_iter().for_each(|client| (wake.0)(client));
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<u32>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::super::connect::{Address, Attempt, Connecting};
    use super::*;
    use crate::config::BackendAddress;

    #[test]
    fn who_waits_is_woken_and_finds_the_addresses() {
        let (woken, wakes) = mpsc::channel();
        let wake = Wake(Arc::new(move |client| woken.send(client).unwrap()));
        let lookup = Lookup::default();
        for client in [7, 8] {
            let flight = lookup.join("localhost", 9000, client, &wake);
            assert_eq!(wakes.recv(), Ok(client));
            let addresses = flight.addresses().unwrap().unwrap();
            assert!(addresses.iter().all(|address| address.ip().is_loopback()));
            assert!(addresses.iter().any(|address| address.port() == 9000));
        }
        let flight = lookup.join("no-such-name.invalid", 9000, 9, &wake);
        assert_eq!(wakes.recv(), Ok(9));
        assert!(flight.addresses().unwrap().is_err());
    }

    #[test]
    fn those_who_come_while_it_is_under_way_share_it() {
        let (woken, wakes) = mpsc::channel();
        let wake = Wake(Arc::new(move |client| woken.send(client).unwrap()));
        let lookup = Lookup::default();
        let flight = Arc::new(Flight::default());
        *lookup.current.lock().unwrap() = Some(Arc::clone(&flight));
        let joined = lookup.join("localhost", 9000, 7, &wake);
        assert!(Arc::ptr_eq(&joined, &flight) && joined.addresses().is_none());
        flight.land(Ok(Vec::new()), &wake);
        assert_eq!(wakes.recv(), Ok(7));
        assert!(joined.addresses().is_some());
        let later = lookup.join("localhost", 9000, 8, &wake);
        assert!(!Arc::ptr_eq(&later, &flight));
        assert_eq!(wakes.recv(), Ok(8));
    }

    fn connecting(flight: &Arc<Flight>) -> Connecting {
        let address = Address {
            at: BackendAddress::Tcp {
                host: "slow.example".to_owned(),
                port: 9000,
            },
            label: None,
        };
        Connecting::new(&address, |host, port| {
            assert_eq!((host, port), ("slow.example", 9000));
            Arc::clone(flight)
        })
    }

    #[test]
    fn the_addresses_of_a_name_share_the_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let flight = Arc::new(Flight::default());
        let nobody = Wake(Arc::new(|client| panic!("{client} is woken")));
        flight.land(Ok(vec![address; 3]), &nobody);
        let mut connecting = connecting(&flight);
        let mut left = Duration::from_secs(3);
        for share in [1, 1].map(Duration::from_secs) {
            assert!(matches!(connecting.attempt(), Attempt::Stream(_)));
            assert_eq!(connecting.share(left), Some(share));
            left -= share;
        }
        assert!(matches!(connecting.attempt(), Attempt::Stream(_)));
        assert_eq!(connecting.share(left), None);
    }

    #[test]
    fn a_name_that_is_not_known_yet_holds_nobody_up() {
        let flight = Arc::new(Flight::default());
        let mut connecting = connecting(&flight);
        assert!(matches!(connecting.attempt(), Attempt::Later));
        let nobody = Wake(Arc::new(|client| panic!("{client} is woken")));
        flight.land(Err(io::Error::other("no name server")), &nobody);
        let failed = |attempt| match attempt {
            Attempt::Failed(error) => error.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(failed(connecting.attempt()), "no name server");
    }
}
