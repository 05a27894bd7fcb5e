use super::*;

#[test]
fn spans_between_moments_neither_wrap_nor_go_back() {
    assert_eq!(Moment(5).until(Moment(1_005)), Duration::from_secs(1));
    assert_eq!(Moment(1_005).until(Moment(5)), Duration::ZERO);
    assert_eq!(Moment(5) + Duration::from_secs(1), Moment(1_005));
    assert_eq!(Moment(5) + Duration::MAX, Moment::NEVER);
    assert_eq!(Moment::NEVER + Duration::from_secs(1), Moment::NEVER);
    assert!(Moment(u64::MAX - 1) < Moment::NEVER);
}

#[test]
fn the_clock_starts_at_its_making_and_goes_on() {
    let clock = Clock::start();
    let first = clock.now();
    assert!(first < Moment(60_000), "{first:?}");
    let micros = clock.micros();
    while clock.now() <= first {
        std::hint::spin_loop();
    }
    assert!(clock.micros() > micros);
    // No machine that builds this stands before 2020.
    assert!(epoch_seconds() > 1_577_836_800);
}
