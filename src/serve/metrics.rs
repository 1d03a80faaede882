//! A snapshot as Prometheus reads it: its text format, version 0.0.4, with gauges and histograms alone, which read the same
//! in OpenMetrics. Names and units follow Prometheus' conventions (metric and label naming, verified 2026-11-22); `promtool
//! check metrics` has nothing to say.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::engine::{Holdings, LATE, Lateness, Of, Snapshot};
use crate::model::State;

/// What the text is, for `Content-Type`.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics of a snapshot.
pub(super) fn text(snapshot: Snapshot) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Shown(snapshot)));
    let mut text = String::new();
    encode_registry(&mut text, &registry).expect("a text takes whatever is written to it");
    text
}

#[derive(Debug)]
struct Shown(Snapshot);

type Labels<'a> = [(&'static str, &'a str); 2];

fn labels((account, network): &Of) -> Labels<'_> {
    [("account", account.as_str()), ("network", network)]
}

/// A gauge without labels.
fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> fmt::Result {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
}

/// Seconds since 1970, as Prometheus wants times.
fn seconds(at: DateTime<Utc>) -> f64 {
    (at - DateTime::UNIX_EPOCH).to_std().unwrap_or_default().as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 deliveries")]
fn number(count: u64) -> f64 {
    count as f64
}

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(snapshot) = self;
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        encoder
            .encode_descriptor("smm_build_info", "The version of smm that runs.", None, MetricType::Gauge)?
            .encode_family(&version)?
            .encode_gauge(&1.0)?;
        let since = seconds(snapshot.since);
        gauge(&mut encoder, "process_start_time_seconds", "When this process began.", since)?;
        let ready = f64::from(u8::from(snapshot.readiness.trouble.is_none()));
        gauge(&mut encoder, "smm_ready", "1 while posts can be published, else 0; /healthz says why.", ready)?;
        if let Some(turned) = snapshot.readiness.turned {
            let help = "When the daemon last did what was to be done; an idle one sleeps until something is.";
            gauge(&mut encoder, "smm_last_pass_timestamp_seconds", help, seconds(turned))?;
        }
        let up = f64::from(u8::from(snapshot.ledger.is_some()));
        gauge(&mut encoder, "smm_ledger_up", "1 when the ledger could be counted, else 0.", up)?;
        if let Some(holdings) = &snapshot.ledger {
            held(&mut encoder, snapshot, holdings)?;
        }
        let help = "How long until a person has to sign in again, where that is known.";
        let mut metric = encoder.encode_descriptor("smm_token_seconds_left", help, None, MetricType::Gauge)?;
        for (of, left) in &snapshot.tokens {
            metric.encode_family(&labels(of))?.encode_gauge(&left.as_seconds_f64())?;
        }
        late(&mut encoder, snapshot)
    }
}

/// What the ledger holds.
fn held(encoder: &mut DescriptorEncoder<'_>, snapshot: &Snapshot, holdings: &Holdings) -> fmt::Result {
    let help = "Alerts that a target should know of and could not be told.";
    gauge(encoder, "smm_alerts_untold", help, number(u64::try_from(holdings.untold).unwrap_or(u64::MAX)))?;
    // Also what is not there is told, so that a rule about failed posts does not first see the account with one.
    let mut counts: BTreeMap<Of, [u64; State::ALL.len()]> =
        snapshot.accounts.iter().map(|of| (of.clone(), [0; State::ALL.len()])).collect();
    for tally in &holdings.deliveries {
        let counts = counts.entry((tally.account.clone(), tally.network.clone())).or_default();
        for (_, count) in State::ALL.iter().zip(counts).filter(|(state, _)| **state == tally.state) {
            *count += tally.count;
        }
    }
    let help = "Deliveries in the ledger by state.";
    let mut metric = encoder.encode_descriptor("smm_deliveries", help, None, MetricType::Gauge)?;
    for (of, counts) in &counts {
        for (state, count) in State::ALL.iter().zip(counts) {
            let [account, network] = labels(of);
            let labels = [account, network, ("state", state.as_str())];
            metric.encode_family(&labels)?.encode_gauge(&number(*count))?;
        }
    }
    let help = "When the account's first planned delivery can go out, or could have.";
    let mut metric = encoder.encode_descriptor("smm_next_ready_timestamp_seconds", help, None, MetricType::Gauge)?;
    for tally in holdings.deliveries.iter().filter(|tally| tally.state == State::Planned) {
        let labels = [("account", tally.account.as_str()), ("network", tally.network.as_str())];
        metric.encode_family(&labels)?.encode_gauge(&seconds(tally.ready))?;
    }
    Ok(())
}

/// How late this process has published.
fn late(encoder: &mut DescriptorEncoder<'_>, snapshot: &Snapshot) -> fmt::Result {
    let help = "How long after their time this process has published posts.";
    let mut metric = encoder.encode_descriptor("smm_late_seconds", help, None, MetricType::Histogram)?;
    let none = Lateness::default();
    let mut all: BTreeMap<&Of, _> = snapshot.accounts.iter().map(|of| (of, &none)).collect();
    all.extend(&snapshot.late);
    for (of, lateness) in all {
        let bounds = LATE.iter().copied().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(lateness.counts).collect();
        let count = lateness.counts.iter().sum();
        let labels = labels(of);
        metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(lateness.sum, count, &buckets, None)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::samples::snapshot;
    use super::*;

    #[test]
    fn numbers_are_told_with_accounts_and_networks_alone() {
        let text = text(snapshot());
        for line in [
            "smm_ready 1.0",
            "smm_ledger_up 1.0",
            "smm_alerts_untold 2.0",
            "process_start_time_seconds 1764579600.0",
            r#"smm_deliveries{account="bsky",network="some",state="published"} 0.0"#,
            r#"smm_deliveries{account="fedi",network="other",state="failed"} 3.0"#,
            r#"smm_next_ready_timestamp_seconds{account="fedi",network="other"} 1764579660.5"#,
            r#"smm_token_seconds_left{account="bsky",network="some"} 90.5"#,
            r#"smm_late_seconds_bucket{le="5.0",account="fedi",network="other"} 1"#,
            r#"smm_late_seconds_bucket{le="+Inf",account="fedi",network="other"} 2"#,
            r#"smm_late_seconds_count{account="fedi",network="other"} 2"#,
            r#"smm_late_seconds_count{account="bsky",network="some"} 0"#,
            "# TYPE smm_late_seconds histogram",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_silent_ledger_leaves_the_rest() {
        let text = text(Snapshot { ledger: None, ..snapshot() });
        assert!(text.contains("smm_ledger_up 0.0") && !text.contains("smm_deliveries"), "{text}");
        assert!(text.contains("smm_late_seconds_count"), "{text}");
    }
}
