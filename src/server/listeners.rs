//! The sockets that connections are accepted at: those that are wanted, whatever was before.
//!
//! Rules: a listener has a number for good, which is never another one's. One that is wanted still is left as it
//! is, with whoever waits at it.

use std::sync::{Arc, PoisonError, RwLock};

use crate::config::{ListenAddress, StartError};
use crate::sys::listener::Listener;

/// All listeners.
#[derive(Debug, Default)]
pub struct Listeners {
    places: RwLock<Vec<Option<Place>>>,
}

#[derive(Debug, Clone)]
struct Place {
    /// What it was opened for, by this one of the addresses.
    address: ListenAddress,
    group: usize,
    listener: Arc<Listener>,
}

/// What has to change so that others are listened at.
#[derive(Debug)]
pub struct Change {
    opened: Vec<(ListenAddress, Vec<Listener>)>,
    /// The numbers of those that are wanted no more.
    gone: Vec<usize>,
}

impl Listeners {
    /// These, from number 0 on.
    pub fn new(opened: Vec<(ListenAddress, Vec<Listener>)>) -> Listeners {
        let listeners = Listeners::default();
        listeners.add(opened);
        listeners
    }

    /// Takes these in; returns their numbers.
    fn add(&self, opened: Vec<(ListenAddress, Vec<Listener>)>) -> Vec<usize> {
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        let first = places.len();
        for (address, listeners) in opened {
            // An address may be several sockets: they come and go together.
            let group = places.len();
            places.extend(listeners.into_iter().map(|listener| {
                Some(Place {
                    address: address.clone(),
                    group,
                    listener: Arc::new(listener),
                })
            }));
        }
        (first..places.len()).collect()
    }

    /// The one with this number, while it is wanted.
    pub fn at(&self, number: usize) -> Option<Arc<Listener>> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let place = places.get(number)?.as_ref()?;
        Some(Arc::clone(&place.listener))
    }

    /// All that are wanted, with their numbers.
    pub fn all(&self) -> Vec<(usize, Arc<Listener>)> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let open = places.iter().enumerate();
        open.filter_map(|(at, place)| Some((at, Arc::clone(&place.as_ref()?.listener))))
            .collect()
    }

    /// All of them stay, and none comes.
    pub fn no_change() -> Change {
        Change {
            opened: Vec::new(),
            gone: Vec::new(),
        }
    }

    /// Opens what is wanted and not there; nothing of those that are there is changed.
    pub fn plan(
        &self,
        wanted: &[ListenAddress],
        open: impl Fn(&ListenAddress) -> Result<Vec<Listener>, StartError>,
    ) -> Result<Change, StartError> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let mut groups: Vec<(usize, ListenAddress)> = Vec::new();
        for place in places.iter().flatten() {
            if !groups.iter().any(|(group, _)| *group == place.group) {
                groups.push((place.group, place.address.clone()));
            }
        }
        let mut new = Vec::new();
        for address in wanted {
            match groups.iter().position(|(_, there)| there == address) {
                Some(at) => drop(groups.swap_remove(at)),
                None => new.push(address),
            }
        }
        let is_gone = |place: &Place| groups.iter().any(|(group, _)| *group == place.group);
        let gone = places.iter().enumerate().filter_map(|(at, place)| {
            let place = place.as_ref()?;
            is_gone(place).then_some(at)
        });
        let gone = gone.collect();
        drop(places);
        let opened = new
            .into_iter()
            .map(|address| Ok((address.clone(), open(address)?)));
        Ok(Change {
            opened: opened.collect::<Result<_, StartError>>()?,
            gone,
        })
    }

    /// Takes in what was opened; returns its numbers, and those of the ones that are wanted no more, which are
    /// to be stopped and then forgotten.
    pub fn change(&self, change: Change) -> (Vec<usize>, Vec<usize>) {
        (self.add(change.opened), change.gone)
    }

    /// Takes one out that is wanted no more, or could not be made use of.
    pub fn forget(&self, number: usize) {
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get_mut(number) {
            *place = None;
        }
    }
}
