//! Dates in tokens.

use crate::model::timestamp::Timestamp;

/// Reads a date in seconds with decimals, to the millisecond ([RFC 7519 §2](https://www.rfc-editor.org/rfc/rfc7519#section-2), `NumericDate`).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is looked at before"
)]
pub(crate) fn numeric_date(secs: f64) -> Option<Timestamp> {
    let millis = (secs * 1000.0).round();
    (0.0..=LATEST)
        .contains(&millis)
        .then(|| Timestamp::from_unix_millis(millis as u64))
}

/// The last millisecond of the year 9999.
const LATEST: f64 = 253_402_300_799_999.0;
