//! All that is counted, in Prometheus' text format.
//!
//! Source: prometheus.io, "Exposition formats", version 0.0.4, and its naming of metrics: units are base units, and a
//! counter ends in `_total`.

use std::fmt::Write;

use super::Host;
use super::journey::Kind;
use super::ledger::{BUCKETS, Sums};
use crate::proto::Reason;

pub(super) fn text(sums: &Sums, host: &dyn Host) -> String {
    let mut text = String::with_capacity(16 << 10);
    head(&mut text, "build_info", "gauge", "The version that runs.");
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "tollgate_build_info{{version=\"{}\"}} 1",
        env!("CARGO_PKG_VERSION")
    );
    head(
        &mut text,
        "requests_total",
        "counter",
        "Requests that were answered, by what answered and class of status.",
    );
    for (kind, of) in Kind::ALL.iter().zip(&sums.kinds) {
        for (class, count) in of.classes.iter().enumerate().skip(1) {
            let kind = kind.name();
            let _ = writeln!(
                text,
                "tollgate_requests_total{{kind=\"{kind}\",status=\"{class}xx\"}} {count}"
            );
        }
    }
    head(
        &mut text,
        "request_duration_seconds",
        "histogram",
        "Time from the whole head to the last byte.",
    );
    for (kind, of) in Kind::ALL.iter().zip(&sums.kinds) {
        let kind = kind.name();
        let mut below = 0;
        for (bound, count) in BUCKETS.iter().zip(&of.buckets) {
            below += count;
            let bound = seconds(*bound);
            let _ = writeln!(
                text,
                "tollgate_request_duration_seconds_bucket{{kind=\"{kind}\",le=\"{bound}\"}} {below}"
            );
        }
        let all: u64 = of.buckets.iter().sum();
        let took = seconds(of.took);
        let name = "tollgate_request_duration_seconds";
        let _ = writeln!(text, "{name}_bucket{{kind=\"{kind}\",le=\"+Inf\"}} {all}");
        let _ = writeln!(text, "{name}_sum{{kind=\"{kind}\"}} {took}");
        let _ = writeln!(text, "{name}_count{{kind=\"{kind}\"}} {all}");
    }
    head(
        &mut text,
        "response_body_bytes_total",
        "counter",
        "Bytes of content that were sent.",
    );
    for (kind, of) in Kind::ALL.iter().zip(&sums.kinds) {
        let (kind, sent) = (kind.name(), of.sent);
        let _ = writeln!(
            text,
            "tollgate_response_body_bytes_total{{kind=\"{kind}\"}} {sent}"
        );
    }
    head(
        &mut text,
        "failures_total",
        "counter",
        "Requests that were refused, failed or cut, by reason.",
    );
    for (reason, count) in Reason::ALL.iter().zip(&sums.reasons).filter(|it| *it.1 > 0) {
        let _ = writeln!(
            text,
            "tollgate_failures_total{{reason=\"{}\"}} {count}",
            reason.code()
        );
    }
    host.gauges(&mut text);
    text
}

/// Appends what a metric is.
pub fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(
        text,
        "# HELP tollgate_{name} {help}\n# TYPE tollgate_{name} {kind}"
    );
}

/// Appends a metric that is one number.
pub fn single(text: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    head(text, name, kind, help);
    let _ = writeln!(text, "tollgate_{name} {value}");
}

/// A text as the value of a label.
pub fn label(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// Microseconds as seconds.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_labels_are_written_as_they_are_read() {
        for (micros, written) in [
            (0, "0"),
            (100, "0.0001"),
            (1_500_000, "1.5"),
            (10_000_000, "10"),
        ] {
            assert_eq!(seconds(micros), written);
        }
        assert_eq!(label("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
    }
}
