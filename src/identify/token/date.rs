//! When a token was issued, as libraries write it.

use crate::identify::token::lexer::JsonValue;
use crate::identify::token::number::number;
use crate::model::timestamp::Timestamp;

/// Reads a date: a number of seconds since the epoch, perhaps with a fraction ([RFC 7519
/// §2](https://www.rfc-editor.org/rfc/rfc7519#section-2)), the same as a text, or a date of [RFC
/// 3339](https://www.rfc-editor.org/rfc/rfc3339#section-5.6), which is what serializers make of one. `None` if it is none of these, or
/// if no calendar has it.
///
/// It is rounded down to milliseconds: a token should rather count as too old than as too young.
pub(crate) fn date(value: JsonValue<'_>) -> Option<Timestamp> {
    match value {
        JsonValue::Word(word) => seconds(word),
        JsonValue::Text(text) => text.with_decoded(|text| {
            let text = text?.as_bytes();
            seconds(text).or_else(|| calendar_date(text))
        }),
        JsonValue::Array | JsonValue::Object => None,
    }
}

/// Of times before the epoch nothing is older.
fn seconds(word: &[u8]) -> Option<Timestamp> {
    let number = number(word)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let (seconds, millis) = match whole.parse::<u64>() {
        // Plain decimals are read as they stand: as a double, `.251` is a little less than that.
        Ok(seconds) if fraction.bytes().all(|byte| byte.is_ascii_digit()) => (seconds, millis(fraction.as_bytes())),
        _ => {
            let seconds = number.parse::<f64>().ok()?;
            // The casts saturate, also at zero.
            (
                seconds.floor() as u64,
                (seconds.max(0.0).fract() * 1000.0).floor() as u64,
            )
        }
    };
    (seconds <= LAST).then(|| Timestamp::from_unix_millis(seconds * 1000 + millis))
}

/// The milliseconds of a fraction, rounded down. It consists of digits.
fn millis(fraction: &[u8]) -> u64 {
    let digit = |at: usize| fraction.get(at).map_or(0, |digit| u64::from(digit - b'0'));
    digit(0) * 100 + digit(1) * 10 + digit(2)
}

fn calendar_date(text: &[u8]) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = date else {
        return None;
    };
    let (time, rest) = rest.split_at_checked(9)?;
    let &[b'T' | b't', h1, h2, b':', n1, n2, b':', s1, s2] = time else {
        return None;
    };
    let year = two(y1, y2)? * 100 + two(y3, y4)?;
    let (month, day) = (two(m1, m2)?, two(d1, d2)?);
    let (hour, minute, second) = (two(h1, h2)?, two(n1, n2)?, two(s1, s2)?);
    if !(1..=12).contains(&month)
        || !(1..=days_in(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    let (fraction, rest) = fraction(rest)?;
    let offset = match *rest {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(h1, h2)?, two(m1, m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = (hours * 60 + minutes) * 60;
            if sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let seconds = days_since_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    let millis = |seconds: u64| seconds * 1000 + millis(fraction);
    Some(Timestamp::from_unix_millis(u64::try_from(seconds).map_or(0, millis)))
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

/// The digits of a fraction, and what is behind it.
fn fraction(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let Some(fraction) = text.strip_prefix(b".") else {
        return Some((b"", text));
    };
    let end = fraction.iter().position(|byte| !byte.is_ascii_digit())?;
    (end > 0).then(|| fraction.split_at(end))
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// By the Gregorian calendar, whose years begin in March here, so that a leap day is the last of its year.
const fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

/// The last second of which Java can make a date, which counts milliseconds in 64 bits. What is beyond wraps there, or counts as
/// the past in one library or another.
const LAST: u64 = i64::MAX as u64 / 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::token::text::JsonText;

    fn of_word(word: &str) -> Option<u64> {
        date(JsonValue::Word(word.as_bytes())).map(Timestamp::as_unix_secs)
    }

    fn of_text(text: &str) -> Option<u64> {
        let text = JsonText::new(text.as_bytes(), text.contains('\\'));
        date(JsonValue::Text(text)).map(Timestamp::as_unix_secs)
    }

    #[test]
    fn numbers_are_rounded_down() {
        for (word, secs) in [
            ("0", 0),
            ("1795975350", 1_795_975_350),
            ("1795975350.9", 1_795_975_350),
            ("1.7959753509e9", 1_795_975_350),
            ("-5", 0),
            ("-0.5", 0),
            ("-1e300", 0),
            ("-9223372036854775809", 0),
            ("9223372036854775", 9_223_372_036_854_775),
        ] {
            assert_eq!(of_word(word), Some(secs), "{word}");
            assert_eq!(of_text(word), Some(secs), "{word}");
        }
    }

    #[test]
    fn a_fraction_is_kept_to_the_millisecond_and_rounded_down() {
        let millis = |date: Option<Timestamp>| date.map(|at| at.as_unix_millis() - 1_795_975_350_000);
        for (fraction, expected) in [
            ("", 0),
            (".0", 0),
            (".25", 250),
            (".251", 251),
            (".2519999", 251),
            (".0009", 0),
            (".999999999999", 999),
        ] {
            let word = format!("1795975350{fraction}");
            assert_eq!(millis(date(JsonValue::Word(word.as_bytes()))), Some(expected), "{word}");
            let text = format!("2026-11-29T18:02:30{fraction}Z");
            assert_eq!(
                millis(date(JsonValue::Text(JsonText::new(text.as_bytes(), false)))),
                Some(expected)
            );
        }
        // By way of a double: 0.251 is a little less.
        assert_eq!(millis(date(JsonValue::Word(b"1.795975350251e9"))), Some(250));
        assert_eq!(millis(date(JsonValue::Word(b"1.7959753505e9"))), Some(500));
    }

    #[test]
    fn beyond_every_calendar_is_no_date() {
        for word in [
            "9223372036854776",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "18446744075504551616",
            "1e19",
            "1e300",
            "1e999",
            "null",
            "true",
            "NaN",
            "007",
            "+5",
        ] {
            assert_eq!(of_word(word), None, "{word}");
            assert_eq!(of_text(word), None, "{word}");
        }
    }

    #[test]
    fn calendar_dates_have_offsets_and_fractions() {
        for text in [
            "2026-11-29T18:02:30Z",
            "2026-11-29t18:02:30z",
            "2026-11-29T18:02:30.999Z",
            "2026-11-29T19:02:30+01:00",
            "2026-11-29T00:32:30.5-17:30",
            "2026-11-30T00:02:30+06:00",
            r"2026-11-29T18\u003a02:30Z",
        ] {
            assert_eq!(of_text(text), Some(1_795_975_350), "{text}");
        }
        assert_eq!(of_text("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(of_text("1969-12-31T23:59:59Z"), Some(0));
        assert_eq!(of_text("0000-01-01T00:00:00Z"), Some(0));
        assert_eq!(of_text("2000-02-29T00:00:00Z"), Some(951_782_400));
        assert_eq!(of_text("9999-12-31T23:59:59Z"), Some(253_402_300_799));
    }

    #[test]
    fn days_are_those_of_another_calendar() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..20_000 {
            let secs = random.u64(0..253_402_300_799);
            let date: jiff::Timestamp = jiff::Timestamp::from_second(secs as i64).unwrap();
            assert_eq!(of_text(&date.to_string()), Some(secs), "{date}");
        }
    }

    #[test]
    fn other_texts_are_no_dates() {
        for text in [
            "",
            "last Sunday",
            "2026-11-29",
            "2026-11-29T18:02:30",
            "2026-11-29T18:02Z",
            "2026-11-29T18:02:30.Z",
            "2026-11-29T18:02:30+0100",
            "2026-11-29T18:02:30+24:00",
            "2026-11-29T24:02:30Z",
            "2026-11-29T18:60:30Z",
            "2026-11-29T18:02:60Z",
            "2026-13-29T18:02:30Z",
            "2026-00-29T18:02:30Z",
            "2026-02-29T18:02:30Z",
            "2100-02-29T18:02:30Z",
            "2026-11-31T18:02:30Z",
            "2026-11-00T18:02:30Z",
            "2026-11-29T18:02:30ZZ",
            "2026-11-29T18:02:30é",
            r"\ud800",
            " 5",
        ] {
            assert_eq!(of_text(text), None, "{text}");
        }
        assert_eq!(date(JsonValue::Array), None);
    }
}
