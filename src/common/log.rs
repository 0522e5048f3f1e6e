//! Lines for the host's log, which may fail.

/// Defines the macros of `tracing` that are used, so that a line that cannot be written ends nothing.
macro_rules! define {
    ($($level:ident as $unlike_the_attribute:ident),*; $dollar:tt) => {
        $(
            macro_rules! $unlike_the_attribute {
                ($dollar($dollar line:tt)*) => {
                    { let _ = $crate::common::host_code::guarded(|| ::tracing::$level!($dollar($dollar line)*)); }
                };
            }
            #[allow(unused_imports, reason = "not every feature logs at every level")]
            pub(crate) use $unlike_the_attribute as $level;
        )*
    };
}

define!(error as error_line, warn as warn_line, info as info_line, debug as debug_line, trace as trace_line; $);

/// A subscriber that panics at each line, as `tracing-subscriber` does if neither its writer nor the standard error can be written.
#[cfg(test)]
pub(crate) struct UnwritableLog;

#[cfg(test)]
impl tracing::Subscriber for UnwritableLog {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        panic!("failed printing to stderr");
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[cfg(test)]
mod tests {
    use crate::common::host_code::guarded;
    use crate::common::log::{self, UnwritableLog};

    #[test]
    fn a_line_that_cannot_be_written_ends_nothing() {
        tracing::subscriber::with_default(UnwritableLog, || {
            let written = guarded(|| tracing::warn!("written by the host's subscriber"));
            assert_eq!(written, Err("failed printing to stderr".to_owned()));
            log::error!(fields = 1, "a line");
            log::warn!("a line");
            log::info!("a line");
            log::debug!("a line");
            log::trace!("a line");
        });
    }
}
