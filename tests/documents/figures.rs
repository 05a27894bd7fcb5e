//! Values, as the source and the documents write them.

use tollgate::config::flags::{Fallback, Flag, Takes};

/// A count, bytes, or microseconds.
type Value = u64;

/// What a constant's expression comes to, `None` where it speaks of other constants.
pub(crate) fn evaluate(expression: &str) -> Option<Value> {
    let expression = expression.trim();
    for (call, unit) in [("secs", 1_000_000), ("millis", 1_000), ("micros", 1)] {
        let call = format!("Duration::from_{call}(");
        if let Some(inner) = expression.strip_prefix(&*call) {
            return Some(evaluate(inner.strip_suffix(')')?)? * unit);
        }
    }
    if let Some((left, right)) = expression.split_once(" << ") {
        return Some(evaluate(left)? << evaluate(right)?);
    }
    if let Some((left, right)) = expression.split_once(" * ") {
        return Some(evaluate(left)? * evaluate(right)?);
    }
    expression.replace('_', "").parse().ok()
}

/// What a document's figure comes to: `16 KiB`, `250 ms`, `10,000`. More may follow.
pub(crate) fn figure(text: &str) -> Option<Value> {
    let mut words = text.split(' ');
    let number: Value = words.next()?.replace(',', "").parse().ok()?;
    let unit = match words.next().unwrap_or_default() {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "ms" => 1_000,
        "s" => 1_000_000,
        "min" => 60_000_000,
        "days" => 24 * 3_600_000_000,
        _ => 1,
    };
    Some(number * unit)
}

/// A number as documents write it: `10,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size as documents write it: `16 KiB`.
fn sized(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let whole = |shift: u32| bytes != 0 && bytes.trailing_zeros() >= shift;
    match units.into_iter().find(|(shift, _)| whole(*shift)) {
        Some((shift, unit)) => format!("{} {unit}", bytes >> shift),
        None => format!("{bytes} B"),
    }
}

/// What the row of an option says of its value; `None` for one that sets no number.
pub(crate) fn value_of(flag: &Flag) -> Option<String> {
    let (unit, range) = match &flag.takes {
        Takes::Count(range, _) => {
            let [least, most] = [*range.start(), *range.end()].map(|end| grouped(end as u64));
            ("", format!(" ({least} to {most})"))
        }
        Takes::Size(range, _) => {
            let [least, most] = [*range.start(), *range.end()].map(sized);
            ("", format!(" ({least} to {most})"))
        }
        Takes::Seconds(_) => (" s", String::new()),
        _ => return None,
    };
    let default = match &flag.default {
        Fallback::Value(value) => match &flag.takes {
            Takes::Size(..) => format!(
                "{} {}iB",
                &value[..value.len() - 1],
                &value[value.len() - 1..]
            ),
            _ => format!("{}{unit}", grouped(value.parse().unwrap())),
        },
        Fallback::Computed(words, _) => (*words).to_owned(),
        Fallback::Like(other) => format!("as `--{other}`"),
        Fallback::None | Fallback::Words(_) => return None,
    };
    Some(default + &range)
}
