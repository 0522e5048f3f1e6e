//! Durations on the command line.

use std::time::Duration;

/// A whole number and its unit: `15m`, `30s`, `500ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" => return Err("a unit is missing: ms, s, m, h or d, such as 30s".into()),
        _ => return Err("expected a whole number and a unit (ms, s, m, h or d), such as 15m, 30s or 500ms".into()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "expected a whole number before the unit, such as 15m")?;
    match number.checked_mul(millis) {
        None => Err("too long".into()),
        Some(0) => Err("must be longer than nothing".into()),
        Some(millis) if millis > MAX_DURATION_MS => Err("must not exceed 3650d".into()),
        Some(millis) => Ok(Duration::from_millis(millis)),
    }
}

/// Ten years: more would overflow clocks and mean nothing.
const MAX_DURATION_MS: u64 = 3_650 * 86_400_000;
