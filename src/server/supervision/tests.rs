use super::*;
use crate::sys::testing::TempDir;

use std::os::unix::net::UnixDatagram;

#[test]
fn no_sign_of_life_is_given_for_workers_that_give_none() {
    let folder = TempDir::new();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_nonblocking(true).unwrap();
    let heard = || {
        let mut bytes = [0; 64];
        let len = manager.recv(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..len]).into_owned())
    };
    let supervision = Supervision::open(&|name| match name {
        "NOTIFY_SOCKET" => Some(path.clone().into()),
        "WATCHDOG_USEC" => Some("3000000".into()),
        _ => None,
    })
    .unwrap();
    assert_eq!(supervision.interval, Some(Duration::from_millis(1500)));

    let parking = Parking::new(1, 2).unwrap();
    let asked = || [0, 1].map(|lane| parking.lane(lane).wakes.pop());
    let sign = Some("WATCHDOG=1".to_owned());
    supervision.look(&parking);
    assert_eq!(heard(), sign, "at the start nobody stands still");
    supervision.look(&parking);
    supervision.look(&parking);
    assert_eq!(heard(), None, "no worker has given a sign");
    assert_eq!(asked(), [Some(SIGN); 2]);
    assert_eq!(asked(), [None; 2], "each was asked once");
    supervision.give_sign();
    supervision.look(&parking);
    assert_eq!(heard(), None, "one lane stands still");
    supervision.give_sign();
    supervision.look(&parking);
    assert_eq!((heard(), asked()), (sign, [Some(SIGN); 2]));
}

#[test]
fn a_watchdog_is_there_for_whom_it_is_meant() {
    let folder = TempDir::new();
    let path = folder.path().join("notify");
    let _manager = UnixDatagram::bind(&path).unwrap();
    let own = std::process::id().to_string();
    for (socket, limit, pid, expected) in [
        (true, "1000000", None, Some(Duration::from_millis(500))),
        (
            true,
            "1000000",
            Some(own.as_str()),
            Some(Duration::from_millis(500)),
        ),
        (true, "1000000", Some("1"), None),
        (true, "1000000", Some("me"), None),
        (true, "0", None, None),
        (true, "soon", None, None),
        // Without end it would ask.
        (true, "1", None, Some(INTERVAL_MIN)),
        (false, "1000000", None, None),
    ] {
        let supervision = Supervision::open(&|name| match name {
            "NOTIFY_SOCKET" => socket.then(|| path.clone().into()),
            "WATCHDOG_USEC" => Some(limit.into()),
            "WATCHDOG_PID" => pid.map(OsString::from),
            _ => None,
        });
        assert_eq!(supervision.unwrap().interval, expected, "{limit} {pid:?}");
    }
}
