//! Writing to the recorder that the host has installed.

use metrics::{Key, Label, Level, Metadata, Recorder};

use crate::metrics::catalogue::{Description, MetricKind};

/// The recorder, and the labels that all metrics get.
pub(super) struct Output<'a> {
    pub(super) recorder: &'a dyn Recorder,
    pub(super) labels: &'a [Label],
}

impl Output<'_> {
    /// Describes metrics to the recorder.
    pub(super) fn describe(recorder: &dyn Recorder, catalogue: &[Description]) {
        for described in catalogue {
            let (name, unit, help) = (described.name.into(), described.unit, described.help.into());
            match described.kind {
                MetricKind::Counter => recorder.describe_counter(name, unit, help),
                MetricKind::Gauge => recorder.describe_gauge(name, unit, help),
                MetricKind::Histogram => recorder.describe_histogram(name, unit, help),
            }
        }
    }

    /// Sets a counter to a value that was counted elsewhere.
    pub(super) fn count(&self, name: &'static str, labels: &[(&'static str, &'static str)], value: u64) {
        let key = key(name, self.labels, labels);
        self.recorder.register_counter(&key, &METADATA).absolute(value);
    }

    pub(super) fn gauge(&self, name: &'static str, value: u64) {
        self.known(name, Some(value));
    }

    /// `NaN` if the value is not known any more: the last one would be wrong.
    #[expect(clippy::cast_precision_loss, reason = "nobody reads the sixteenth digit")]
    pub(super) fn known(&self, name: &'static str, value: Option<u64>) {
        self.set(name, &[], value.map_or(f64::NAN, |value| value as f64));
    }

    /// Sets a gauge to 0 or 1.
    pub(super) fn whether(&self, name: &'static str, labels: &[(&'static str, &'static str)], is_so: bool) {
        self.set(name, labels, f64::from(u8::from(is_so)));
    }

    /// Sets a gauge to a time, or leaves it alone if the time is not known.
    pub(super) fn time(&self, name: &'static str, secs: Option<f64>) {
        if let Some(secs) = secs {
            self.set(name, &[], secs);
        }
    }

    fn set(&self, name: &'static str, labels: &[(&'static str, &'static str)], value: f64) {
        let key = key(name, self.labels, labels);
        self.recorder.register_gauge(&key, &METADATA).set(value);
    }
}

/// The host's labels, and a metric's own.
pub(super) fn key(name: &'static str, common: &[Label], own: &[(&'static str, &'static str)]) -> Key {
    let own = own.iter().map(|&(name, value)| Label::from_static_parts(name, value));
    let labels: Vec<Label> = common.iter().cloned().chain(own).collect();
    Key::from_parts(name, labels)
}

pub(super) const METADATA: Metadata<'static> = Metadata::new("tower_revocation", Level::INFO, None);
