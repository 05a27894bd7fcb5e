use super::*;

const ONE: Party = Party::V4([192, 0, 2, 1]);
const OTHER: Party = Party::V4([192, 0, 2, 2]);

fn wake_log() -> (Wake, Arc<Mutex<Vec<u32>>>) {
    let woken = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&woken);
    (
        Wake(Arc::new(move |number| log.lock().unwrap().push(number))),
        woken,
    )
}

fn wait(admission: &Arc<Admission>, number: u32) -> Ticket {
    wait_as(admission, number, ONE)
}

#[track_caller]
fn wait_as(admission: &Arc<Admission>, number: u32, party: Party) -> Ticket {
    match admission.ask(number, party, Places::default(), |_| true) {
        Admitted::Wait(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

#[test]
fn turns_are_handed_on_in_order_and_past_those_who_left() {
    let (wake, woken) = wake_log();
    let admission = Arc::new(Admission::new(&[1], Ties::First, wake));
    let Admitted::Now(permit) = admission.ask(1, ONE, Places::default(), |_| true) else {
        panic!()
    };
    let second = wait(&admission, 2);
    let third = wait(&admission, 3);
    let fourth = wait(&admission, 4);
    drop(second);
    drop(permit);
    assert_eq!(*woken.lock().unwrap(), [3]);
    assert!(third.is_granted() && !fourth.is_granted());
    drop(third.redeem());
    assert_eq!(*woken.lock().unwrap(), [3, 4]);
    drop(fourth);
    assert_eq!(admission.running(), 0);
}

#[test]
fn a_full_line_turns_away_until_someone_leaves_it() {
    let (wake, _) = wake_log();
    let admission = Arc::new(Admission::new(&[1], Ties::First, wake));
    let _permit = admission.ask(0, ONE, Places::default(), |_| true);
    let mut tickets: Vec<Ticket> = (0..LINE_MAX as u32)
        .map(|number| wait(&admission, number))
        .collect();
    assert!(matches!(
        admission.ask(9, ONE, Places::default(), |_| true),
        Admitted::Full
    ));
    tickets.pop();
    assert!(matches!(
        admission.ask(9, ONE, Places::default(), |_| true),
        Admitted::Wait(_)
    ));
}

#[test]
fn the_least_busy_place_that_suits_serves_and_equals_take_turns() {
    let admission = Arc::new(Admission::new(&[2, 2, 2], Ties::InTurn, wake_log().0));
    let place = |suits: fn(usize) -> bool| match admission.ask(0, ONE, Places::default(), suits) {
        Admitted::Now(permit) => {
            let place = permit.place();
            std::mem::forget(permit);
            Some(place)
        }
        _ => None,
    };
    assert_eq!(
        [(); 3].map(|()| place(|_| true)),
        [Some(0), Some(1), Some(2)]
    );
    assert_eq!(place(|at| at == 2), Some(2));
    assert_eq!(place(|at| at == 2), None);
    assert_eq!(place(|at| at != 1), Some(0));
    assert_eq!(place(|_| true), Some(1));
}

#[test]
fn a_place_that_comes_to_serve_more_takes_from_the_line() {
    let (wake, woken) = wake_log();
    let admission = Arc::new(Admission::new(&[0, 0], Ties::First, wake));
    let tickets: Vec<Ticket> = (1..4).map(|number| wait(&admission, number)).collect();
    assert_eq!(admission.waiting(), 3);
    admission.set_max(1, 2);
    assert_eq!(*woken.lock().unwrap(), [1, 2]);
    let mut permits = tickets.into_iter().filter_map(Ticket::redeem);
    let permit = permits.next().unwrap();
    assert_eq!(permit.place(), 1);
    // Less from now on: the turn is not handed on.
    admission.set_max(1, 0);
    drop(permit);
    drop(permits);
    assert_eq!((admission.running(), woken.lock().unwrap().len()), (0, 2));
}

#[test]
fn nobody_is_served_again_where_it_was_before() {
    let (wake, woken) = wake_log();
    let admission = Arc::new(Admission::new(&[1, 1], Ties::First, wake));
    let mut tried = Places::default();
    tried.add(0);
    let ask = |number, tried| admission.ask(number, ONE, tried, |_| true);
    let (Admitted::Now(first), Admitted::Now(second)) =
        (ask(1, Places::default()), ask(2, Places::default()))
    else {
        panic!()
    };
    let Admitted::Wait(ticket) = ask(3, tried) else {
        panic!()
    };
    drop(first);
    assert!(!ticket.is_granted());
    assert!(matches!(ask(4, Places::default()), Admitted::Now(permit) if permit.place() == 0));
    drop(second);
    assert_eq!(*woken.lock().unwrap(), [3]);
    assert_eq!(ticket.redeem().map(|permit| permit.place()), Some(1));

    let permit = admission.ask(5, ONE, Places::default(), |place| place == 1);
    let Admitted::Wait(ticket) = ask(6, tried) else {
        panic!()
    };
    admission.dismiss_but_for(tried);
    assert!(ticket.is_dismissed());
    drop(permit);
}

#[test]
fn those_who_are_dismissed_are_woken_and_told() {
    let (wake, woken) = wake_log();
    let admission = Arc::new(Admission::new(&[0], Ties::First, wake));
    let ticket = wait(&admission, 7);
    admission.dismiss_but_for(Places::default());
    assert_eq!(*woken.lock().unwrap(), [7]);
    assert!(ticket.is_dismissed() && !ticket.is_granted());
    assert!(ticket.redeem().is_none());
    assert_eq!(admission.running(), 0);
}

#[test]
fn who_waits_for_one_thing_does_not_wait_for_all_of_another_s() {
    let (wake, woken) = wake_log();
    let admission = Arc::new(Admission::new(&[1], Ties::First, wake));
    let Admitted::Now(permit) = admission.ask(0, ONE, Places::default(), |_| true) else {
        panic!()
    };
    let mut tickets: Vec<Ticket> = (1..=50).map(|number| wait(&admission, number)).collect();
    tickets.push(wait_as(&admission, 99, OTHER));
    drop(permit);
    let mut permit = tickets.remove(0).redeem();
    assert!(permit.is_some());
    drop(permit.take());
    assert_eq!(*woken.lock().unwrap(), [1, 99]);
    assert!(tickets.pop().unwrap().redeem().is_some());
}

#[test]
fn a_full_line_makes_room_for_who_has_nothing_in_it() {
    let (wake, woken) = wake_log();
    let admission = Arc::new(Admission::new(&[1], Ties::First, wake));
    let permit = admission.ask(0, ONE, Places::default(), |_| true);
    let mut tickets: Vec<Ticket> = (1..=LINE_MAX as u32)
        .map(|number| wait(&admission, number))
        .collect();
    let newcomer = wait_as(&admission, 9999, OTHER);
    assert_eq!(*woken.lock().unwrap(), [LINE_MAX as u32]);
    let last = tickets.pop().unwrap();
    assert!(last.is_displaced() && !last.is_granted() && !last.is_dismissed());
    assert_eq!(admission.waiting(), LINE_MAX);
    drop(last);
    assert_eq!(admission.waiting(), LINE_MAX);
    let asked = admission.ask(1, ONE, Places::default(), |_| true);
    assert!(matches!(asked, Admitted::Full));
    drop((tickets, newcomer));
    assert_eq!(admission.waiting(), 0);
    drop(permit);
    assert_eq!(admission.running(), 0);
}
