use super::*;

#[test]
fn the_limit_is_lifted_to_what_is_permitted() {
    let raised = raise_limit(4096);
    let limit = rustix::process::getrlimit(Resource::Nofile);
    assert_eq!(limit.current, limit.maximum);
    assert_eq!(raised, limit.current.unwrap_or(u64::MAX));
}

#[test]
fn ignored_signals_are_found() {
    // The standard library ignores SIGPIPE; nothing else here ignores SIGTERM.
    let ignored: Vec<i32> = ignored_signals().collect();
    assert!(
        ignored.contains(&13) && !ignored.contains(&15),
        "{ignored:?}"
    );
}

#[test]
fn what_was_blocked_is_let_through() {
    use nix::sys::signal::Signal;
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGUSR2);
    // The mask is that of this thread alone.
    blocked.thread_block().unwrap();
    unblock_signals().unwrap();
    assert_eq!(SigSet::thread_get_mask().unwrap(), SigSet::empty());
}
