use super::*;

fn party(letter: char) -> Party {
    Party::V4([letter as u8, 0, 0, 1])
}

/// A line for `max` that these have entered, each item `a1`, `a2`, ... of the party `a`; what was
/// displaced by the last of them, or `full`.
fn line(max: usize, items: &str) -> (Line<String>, String) {
    let mut line = Line::new(max);
    let mut last = String::new();
    for item in items.split_ascii_whitespace() {
        let letter = item.chars().next().unwrap();
        last = match line.enter(party(letter), item.to_owned()) {
            Entered::Stands(_) => String::new(),
            Entered::InPlaceOf(_, other) => other,
            Entered::Full => "full".to_owned(),
        };
        check(&line);
    }
    (line, last)
}

/// What is counted is what is there.
fn check(line: &Line<String>) {
    let sizes = || line.queues.values().map(VecDeque::len);
    assert_eq!(line.len(), sizes().sum::<usize>());
    assert_eq!(line.most, sizes().max().unwrap_or(0));
    for (size, &count) in line.counts.iter().enumerate() {
        assert_eq!(sizes().filter(|&it| it == size).count(), count, "{size}");
    }
    let mut turns: Vec<Party> = line.turns.iter().copied().collect();
    turns.sort_unstable_by_key(|party| format!("{party:?}"));
    turns.dedup();
    assert_eq!(turns.len(), line.turns.len(), "a party has two turns");
    assert_eq!(turns.len(), line.queues.len());
    assert!(turns.iter().all(|party| line.queues.contains_key(party)));
    assert!(line.len() <= line.max);
}

fn served(line: &mut Line<String>) -> String {
    let mut order = Vec::new();
    while let Some(item) = line.take_next(|_| true) {
        check(line);
        order.push(item);
    }
    order.join(" ")
}

#[test]
fn parties_take_turns_and_each_is_first_come_first_served() {
    for (came, order) in [
        ("", ""),
        ("a1 a2 a3", "a1 a2 a3"),
        ("a1 a2 a3 b1", "a1 b1 a2 a3"),
        ("a1 a2 a3 a4 b1 b2 c1", "a1 b1 c1 a2 b2 a3 a4"),
        ("c1 b1 a1 a2 b2 c2", "c1 b1 a1 c2 b2 a2"),
    ] {
        let (mut line, last) = line(16, came);
        assert_eq!(last, "", "{came}");
        assert_eq!(served(&mut line), order, "{came}");
    }
}

#[test]
fn who_comes_again_after_a_turn_comes_after_the_others() {
    let (mut line, _) = line(16, "a1 b1 b2");
    assert_eq!(line.take_next(|_| true).unwrap(), "a1");
    line.enter(party('a'), "a2".to_owned());
    line.enter(party('c'), "c1".to_owned());
    check(&line);
    assert_eq!(served(&mut line), "b1 a2 c1 b2");
}

#[test]
fn who_suits_nowhere_keeps_place_and_turn() {
    let (mut line, _) = line(16, "a1 a2 b1 c1");
    assert_eq!(line.take_next(|item| item == "a2").unwrap(), "a2");
    check(&line);
    assert_eq!(line.take_next(|item| item != "b1").unwrap(), "c1");
    assert_eq!(line.take_next(|item| item == "z9"), None);
    check(&line);
    assert_eq!(served(&mut line), "b1 a1");
}

#[test]
fn a_full_line_lets_in_who_has_fewer_than_the_one_with_most() {
    // What came, what the last of it displaced, and the order that is left, in a line for four.
    for (came, displaced, order) in [
        ("a1 a2 a3 a4 a5", "full", "a1 a2 a3 a4"),
        ("a1 a2 a3 a4 b1", "a4", "a1 b1 a2 a3"),
        ("a1 a2 a3 b1 b2", "a3", "a1 b1 a2 b2"),
        // More even it cannot be.
        ("a1 a2 b1 b2 b3", "full", "a1 b1 a2 b2"),
        ("a1 a2 b1 b2 a3", "full", "a1 b1 a2 b2"),
        ("a1 b1 c1 d1 e1", "full", "a1 b1 c1 d1"),
        ("a1 a2 b1 c1 d1", "a2", "a1 b1 c1 d1"),
        // Of two who have the most, the one whose last came last.
        ("a1 b1 b2 a2 c1", "a2", "a1 b1 c1 b2"),
        ("a1 a2 b1 b2 c1", "b2", "a1 b1 c1 a2"),
    ] {
        let (mut line, last) = line(4, came);
        assert_eq!(last, displaced, "{came}");
        assert_eq!(served(&mut line), order, "{came}");
    }
}

#[test]
fn nobody_displaces_who_displaced_him() {
    // However two parties go on asking, the line comes to be shared and stays so.
    let (mut line, _) = line(8, "a1 a2 a3 a4 a5 a6 a7 a8");
    let mut displaced = 0;
    for round in 0..100 {
        for letter in ['b', 'a'] {
            let entered = line.enter(party(letter), format!("{letter}{round}"));
            displaced += usize::from(matches!(entered, Entered::InPlaceOf(..)));
            check(&line);
        }
    }
    assert_eq!(displaced, 4);
    let sizes: Vec<usize> = line.queues.values().map(VecDeque::len).collect();
    assert_eq!(sizes, [4, 4]);
}

#[test]
fn who_leaves_is_gone_and_makes_room() {
    let mut line = Line::new(3);
    let mut numbers = Vec::new();
    for item in ["a1", "a2", "b1"] {
        let letter = item.chars().next().unwrap();
        match line.enter(party(letter), item.to_owned()) {
            Entered::Stands(number) => numbers.push(number),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(line.leave(party('b'), numbers[0]), None);
    assert_eq!(line.leave(party('a'), numbers[0]).unwrap(), "a1");
    assert_eq!(line.leave(party('a'), numbers[0]), None);
    check(&line);
    assert_eq!(line.leave(party('b'), numbers[2]).unwrap(), "b1");
    check(&line);
    for item in ["b2", "b3"] {
        let entered = line.enter(party('b'), item.to_owned());
        assert!(matches!(entered, Entered::Stands(_)), "{entered:?}");
    }
    assert_eq!(served(&mut line), "a2 b2 b3");
    assert_eq!(line.leave(party('a'), numbers[1]), None);
}

#[test]
fn all_that_are_named_go_as_they_came() {
    let (mut line, _) = line(8, "b1 a1 a2 c1 b2");
    let gone = line.take_all(|item| item != "a1" && item != "c1");
    check(&line);
    assert_eq!(gone.join(" "), "b1 a2 b2");
    assert_eq!(served(&mut line), "a1 c1");
    assert_eq!(line.take_all(|_| true), Vec::<String>::new());
}

#[test]
fn a_party_is_an_address_or_a_subscriber() {
    let of = |text: &str| Party::of(Some(text.parse().unwrap()));
    for (one, other, same) in [
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("192.0.2.1", "::ffff:192.0.2.1", true),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ("::1", "0.0.0.1", false),
    ] {
        assert_eq!(of(one) == of(other), same, "{one} and {other}");
    }
    assert_eq!(Party::of(None), Party::Unnamed);
}
