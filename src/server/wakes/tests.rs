use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::*;
use crate::sys::poller::Poller;

const TOKEN: u64 = 7;

/// The last number that a worker takes.
const STOP: u32 = u32::MAX;

#[test]
fn numbers_come_in_their_order() {
    let wakes = Wakes::new().unwrap();
    for number in [3, 1, 3] {
        wakes.push(number);
    }
    assert_eq!([3, 1, 3].map(Some), [(); 3].map(|()| wakes.pop()));
    assert_eq!(wakes.pop(), None);
}

/// Rings fall together at the poller; numbers must not.
#[test]
fn no_number_is_left_behind() {
    const WORKERS: usize = 4;
    const PUSHERS: u32 = 4;
    const EACH: u32 = 5_000;
    let parking = Arc::new((Poller::new().unwrap(), Wakes::new().unwrap()));
    let (poller, wakes) = &*parking;
    poller.register(wakes, TOKEN).unwrap();
    let (tell, taken) = mpsc::channel();
    // Not joined: where a number is lost they wait for ever, and the test has to fail.
    for _ in 0..WORKERS {
        let (tell, parking) = (tell.clone(), Arc::clone(&parking));
        thread::spawn(move || {
            let (poller, wakes) = &*parking;
            loop {
                assert_eq!(poller.wait().unwrap().token, TOKEN);
                match wakes.pop() {
                    Some(STOP) => return,
                    Some(number) => tell.send(number).unwrap(),
                    None => {}
                }
            }
        });
    }
    thread::scope(|scope| {
        for pusher in 0..PUSHERS {
            scope.spawn(move || (0..EACH).for_each(|n| wakes.push(pusher * EACH + n)));
        }
    });
    let mut numbers: Vec<u32> = (0..PUSHERS * EACH)
        .map_while(|_| taken.recv_timeout(Duration::from_secs(20)).ok())
        .collect();
    (0..WORKERS).for_each(|_| wakes.push(STOP));
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..PUSHERS * EACH));
}
