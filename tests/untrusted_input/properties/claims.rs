//! The claims of a token: its header and payload, put together as a token.

use std::fmt;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use tower_revocation::identify::{self, Jwt};
use tower_revocation::{EventSink, Identify, Identity, Key, Revocation, Timestamp, Verdict};

use super::world;

/// A token presents the keys that another reader finds in it, in any disguise; and is refused for any of them.
///
/// The input is a header, a payload, and the JSON of disclosures.
pub(crate) fn check(input: &[u8]) {
    let mut parts = world::parts(input);
    let (Some(header), Some(payload)) = (parts.next(), parts.next()) else {
        return;
    };
    let disclosures: Vec<_> = parts.collect();
    if header.len().max(payload.len()).max(disclosures.concat().len()) > LONGEST {
        return;
    }
    let plain = token(header, payload);
    let token = with_disclosures(&plain, &disclosures);
    let found = identify(&[format!("Claw {token}").as_bytes()]);
    let expected = Expected::read(header, payload, &disclosures);
    match (&found, &expected) {
        (Identity::Presented(credential), Some(expected)) => {
            assert!(
                credential.keys().eq(&expected.keys),
                "{:?} are not {:?}",
                credential.keys().collect::<Vec<_>>(),
                expected.keys
            );
            assert_eq!(credential.issued_at(), expected.issued_at());
        }
        (found, Some(expected)) if expected.keys.len() <= MOST_KEYS => panic!("{found:?} is not {expected:?}"),
        // What the other reader cannot read at all may be read here, up to a point.
        _ => {}
    }
    assert!(!matches!(found, Identity::Anonymous));
    for disguise in ["claw", "CLAW ", " ClAw\t", "Basic x,claW \t"] {
        assert_same(&identify(&[format!("{disguise} {token}").as_bytes()]), &found);
    }
    assert_same(&identify(&[&[b"Claw\xa0", token.as_bytes(), b"\xa0"].concat()]), &found);
    // Padded, in the other alphabet, behind a byte order mark, and with something behind its end.
    let other: String = plain
        .split('.')
        .map(|part| format!("{part}==.").replace('-', "+").replace('_', "/"))
        .collect();
    let other = with_disclosures(other.trim_end_matches('.'), &disclosures);
    assert_same(&identify(&[format!("Claw {other}").as_bytes()]), &found);
    if !payload.starts_with(BOM) {
        let marked = token_of(header, &[BOM, payload].concat(), &disclosures);
        assert!(same_claims(&identify(&[format!("Claw {marked}").as_bytes()]), &found) || expected.is_none());
    }
    let beside_rubbish = identify(&[b"Claw rubbish", format!("Claw {token}").as_bytes()]);
    if let Some(expected) = expected.as_ref().filter(|_| token.len() < LONGEST) {
        let nested = token_of(b"{}", token.as_bytes(), &[]);
        assert!(same_claims(&identify(&[format!("Claw {nested}").as_bytes()]), &found));
        for behind in ["}", "{", "x", "\0", "\"", "null"] {
            let longer = token_of(header, &[payload, behind.as_bytes()].concat(), &disclosures);
            let longer = identify(&[format!("Claw {longer}").as_bytes()]);
            assert!(matches!(longer, Identity::Partial(..)) && same_claims(&longer, &found));
        }
        assert!(same_claims(&beside_rubbish, &found) && matches!(beside_rubbish, Identity::Partial(..)));
        if let Some(key) = expected
            .keys
            .get(payload.len() % expected.keys.len().clamp(1, MOST_KEYS))
        {
            let sink = world::domain();
            sink.apply(Revocation::block(*key))
                .expect("there is room")
                .wait()
                .expect("there is room");
            assert!(is_refused(&sink, &found) && is_refused(&sink, &beside_rubbish));
        }
    }
}

/// Whether what can be read of an identity is refused.
pub(crate) fn is_refused(sink: &EventSink, identity: &Identity) -> bool {
    let (Identity::Presented(credential) | Identity::Partial(credential, _)) = identity else {
        return false;
    };
    matches!(sink.decide(credential), Verdict::Revoked(_))
}

fn same_claims(one: &Identity, other: &Identity) -> bool {
    let (
        Identity::Presented(one) | Identity::Partial(one, _),
        Identity::Presented(other) | Identity::Partial(other, _),
    ) = (one, other)
    else {
        return false;
    };
    one.keys().eq(other.keys()) && one.issued_at() == other.issued_at()
}

fn assert_same(one: &Identity, other: &Identity) {
    match (one, other) {
        (Identity::Presented(_), Identity::Presented(_)) | (Identity::Partial(..), Identity::Partial(..)) => {
            assert!(same_claims(one, other));
        }
        (Identity::Unreadable(_), Identity::Unreadable(_)) => {}
        _ => panic!("{one:?} is not {other:?}"),
    }
}

/// What a request presents with a token of this header and payload.
#[allow(dead_code, reason = "other tests ask as well")]
pub(crate) fn identify_claims(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> Identity {
    identify(&[format!("Claw {}", token(header, payload)).as_bytes()])
}

fn token(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    format!(
        "{}.{}.c2ln",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    )
}

fn token_of(header: &[u8], payload: &[u8], disclosures: &[&[u8]]) -> String {
    with_disclosures(&token(header, payload), disclosures)
}

fn with_disclosures(token: &str, disclosures: &[&[u8]]) -> String {
    let disclosures = disclosures
        .iter()
        .map(|json| format!("~{}", URL_SAFE_NO_PAD.encode(json)));
    token.to_owned() + &disclosures.collect::<String>()
}

/// What a request presents with these values of its header.
pub(crate) fn identify(values: &[&[u8]]) -> Identity {
    let mut request = Request::new(());
    for value in values {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            request.headers_mut().append(AUTHORIZATION, value);
        }
    }
    JWT.identify(&request)
}

static JWT: LazyLock<Jwt> = LazyLock::new(|| identify::jwt(AUTHORIZATION, "Claw").with_claim("tid", Key::tenant));

/// What another reader finds, which goes by `serde_json`: the keys in their order, and the dates.
#[derive(Debug, Default)]
struct Expected {
    keys: Vec<Key>,
    /// `None` is one that is no date.
    dates: Vec<Option<u64>>,
    /// The claims in whose arrays an object stands.
    hidden: Vec<&'static str>,
}

impl Expected {
    /// `None` if it cannot read all of it.
    fn read(header: &[u8], payload: &[u8], disclosures: &[&[u8]]) -> Option<Self> {
        let mut found = Self::default();
        for (name, value) in Members::read(header)?.0 {
            match folded(&name).as_str() {
                "kid" => found.ids("kid", &value, Key::signing_key, 0)?,
                "b64" if value.get() == "false" => return None,
                _ => {}
            }
        }
        found.hidden.clear();
        found.claims(Members::read(payload)?, 0)?;
        let stated = !found.dates.is_empty();
        let mut elements = Vec::new();
        for disclosure in disclosures.iter().filter(|json| !json.is_empty()) {
            let items: Vec<Box<RawValue>> = serde_json::from_slice(disclosure).ok()?;
            match &items[..] {
                [_, element] => elements.push(element.clone()),
                [_, name, value] => {
                    let name: String = serde_json::from_str(name.get()).ok()?;
                    found.claims(Members(vec![(name, value.clone())]), 0)?;
                }
                _ => return None,
            }
        }
        if !stated {
            found.dates.clear();
        }
        let hidden = found.hidden.clone();
        for element in elements {
            for (name, make) in CLAIMS.iter().filter(|(name, _)| hidden.contains(name)) {
                found.ids(name, &element, *make, 0)?;
            }
        }
        Some(found)
    }

    fn issued_at(&self) -> Option<Timestamp> {
        let dates: Option<Vec<_>> = self.dates.iter().copied().collect();
        dates?.into_iter().min().map(Timestamp::from_unix_millis)
    }

    fn claims(&mut self, members: Members, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        for (name, value) in members.0 {
            let name = folded(&name);
            for (known, make) in CLAIMS.iter().filter(|(known, _)| *known == name) {
                self.ids(known, &value, *make, 0)?;
            }
            if name == "iat" && depth == 0 {
                self.dates.push(date(value.get()));
                if is_calendar_date(value.get()) {
                    return None;
                }
            }
            if name == "act" && value.get().starts_with('{') {
                self.claims(Members::read(value.get().as_bytes())?, depth + 1)?;
            }
        }
        Some(())
    }

    fn ids(&mut self, name: &'static str, value: &RawValue, make: MakeKey, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        let text = value.get();
        match text.as_bytes()[0] {
            b'"' => self.keys.push(make(&serde_json::from_str::<String>(text).ok()?)),
            b'[' => {
                for item in serde_json::from_str::<Vec<Box<RawValue>>>(text).ok()? {
                    if item.get().starts_with('{') {
                        self.hidden.push(name);
                    }
                    self.ids(name, &item, make, depth + 1)?;
                }
            }
            b'-' | b'0'..=b'9' => {
                self.keys.push(make(text));
                if let Some(decimal) = decimal(text) {
                    self.keys.push(make(&decimal));
                }
                // Not those in arrays.
                if depth == 0 {
                    for text in texts_of_double(text) {
                        let key = make(&text);
                        if !self.keys.contains(&key) {
                            self.keys.push(key);
                        }
                    }
                }
            }
            _ => {}
        }
        Some(())
    }
}

/// The members of an object, their values as they stand there.
struct Members(Vec<(String, Box<RawValue>)>);

impl Members {
    fn read(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

/// A name as Go compares it, without the blanks that jjwt takes off.
fn folded(name: &str) -> String {
    let name = name.trim_matches(|char: char| char.is_whitespace() || char <= ' ');
    name.replace('\u{17f}', "s").replace('\u{212a}', "k").to_lowercase()
}

/// A date of a number or of a number in quotes, in milliseconds.
fn date(json: &str) -> Option<u64> {
    let text: String = serde_json::from_str(json).unwrap_or_else(|_| json.to_owned());
    let is_number = text.starts_with(|char: char| char == '-' || char.is_ascii_digit())
        && !text.ends_with(char::is_whitespace)
        && serde_json::from_str::<IgnoredAny>(&text).is_ok();
    if !is_number {
        return None;
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let (secs, millis) = match whole.parse() {
        // Three digits of it count, and those that are missing are noughts.
        Ok(secs) if !fraction.contains(['e', 'E']) => (secs, format!("{fraction:0<3}")[..3].parse().ok()?),
        _ => {
            let secs = text.parse::<f64>().ok()?;
            (secs.floor() as u64, (secs.max(0.0).fract() * 1000.0) as u64)
        }
    };
    (secs <= i64::MAX as u64 / 1000).then(|| secs * 1000 + millis)
}

/// Whether it may be a date of a calendar. Those are tested where they are read.
fn is_calendar_date(json: &str) -> bool {
    json.len() > 20 && json.starts_with('"') && json.contains(['T', 't', '\\'])
}

/// Every other way to write it is less than this one: digits, and noughts put at either end.
fn decimal(number: &str) -> Option<String> {
    let (sign, unsigned) = number
        .strip_prefix('-')
        .map_or(("", number), |unsigned| ("-", unsigned));
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    if sign.is_empty() && mantissa == number && !number.contains('.') {
        return None;
    }
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent.parse().ok()?;
    let digits = format!("{integer}{fraction}");
    if digits.bytes().all(|digit| digit == b'0') {
        return (number != "0").then(|| "0".to_owned());
    }
    // More than some digits are not written out.
    if exponent.checked_abs()? > 60_100 {
        return None;
    }
    let noughts = "0".repeat(exponent.unsigned_abs() as usize);
    let (all, point) = if exponent < 0 {
        (format!("{noughts}{digits}"), integer.len())
    } else {
        (format!("{digits}{noughts}"), integer.len() + exponent as usize)
    };
    let (integer, fraction) = all.split_at(point);
    let (integer, fraction) = (integer.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let integer = if integer.is_empty() { "0" } else { integer };
    if integer.len() + fraction.len() > 48 {
        return None;
    }
    let decimal = if fraction.is_empty() {
        format!("{sign}{integer}")
    } else {
        format!("{sign}{integer}.{fraction}")
    };
    (decimal.len() <= 48 && decimal != number).then_some(decimal)
}

/// What JavaScript, Go, Python, Java and Envoy make of a number that they read as a double, by other means than the crate's.
fn texts_of_double(number: &str) -> Vec<String> {
    let Some(double) = number.parse::<f64>().ok().filter(|double| double.is_finite()) else {
        return Vec::new();
    };
    let is_integer = number.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
    let (sign, absolute) = (if number.starts_with('-') { "-" } else { "" }, double.abs());
    let scientific = format!("{absolute:e}");
    let (mantissa, power) = scientific.split_once('e').expect("it has an exponent");
    let power: i32 = power.parse().expect("it is a number");
    let plain = format!("{absolute}");
    let pointed = if plain.contains('.') {
        plain.clone()
    } else {
        format!("{plain}.0")
    };
    let signed_power = |digits: usize| format!("e{}{:0digits$}", if power < 0 { '-' } else { '+' }, power.abs());
    let mut all = Vec::new();
    if !is_integer || number.len() > 15 {
        let is_plain = (-6..21).contains(&power);
        all.push(if is_plain {
            plain.clone()
        } else {
            format!("{mantissa}{}", signed_power(1))
        });
    }
    let is_plain = (-4..6).contains(&power);
    all.push(if is_plain {
        plain
    } else {
        format!("{mantissa}{}", signed_power(2))
    });
    if !is_integer {
        let is_plain = (-4..16).contains(&power);
        all.push(if is_plain {
            pointed.clone()
        } else {
            format!("{mantissa}{}", signed_power(2))
        });
    }
    if !is_integer || number.len() > 18 {
        let point = if mantissa.contains('.') { "" } else { ".0" };
        let is_plain = (-3..7).contains(&power);
        all.push(if is_plain {
            pointed
        } else {
            format!("{mantissa}{point}E{power}")
        });
    }
    for text in &mut all {
        text.insert_str(0, sign);
    }
    if !is_integer || sign == "-" || number.len() > 15 {
        let is_whole = double >= 0.0 && double.fract() == 0.0 && double < 2_f64.powi(64);
        all.push(if is_whole {
            format!("{double:.0}")
        } else {
            format!("{double:.6}")
        });
    }
    // What is longer than any id is not written out.
    all.retain(|text| text.len() <= 48);
    all
}

type MakeKey = fn(&str) -> Key;

const CLAIMS: [(&str, MakeKey); 6] = [
    ("jti", Key::token),
    ("sub", Key::subject),
    ("sid", Key::session),
    ("client_id", Key::client),
    ("azp", Key::client),
    ("tid", Key::tenant),
];

/// How many keys of a token are read.
const MOST_KEYS: usize = 256;

/// The other reader takes a stack for each level.
const DEEPEST: usize = 64;

const BOM: &[u8] = "\u{feff}".as_bytes();

/// Longer parts are refused for their length.
const LONGEST: usize = 60 * 1024;

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let decode = |part: Option<&str>| URL_SAFE_NO_PAD.decode(part.unwrap_or_default()).unwrap_or_default();
    let mut seeds: Vec<_> = world::vectors("ait", ".jwt")
        .into_iter()
        .map(|token| {
            let token = String::from_utf8_lossy(&token).trim().to_owned();
            let mut parts = token.split('.');
            world::join([decode(parts.next()), decode(parts.next())])
        })
        .collect();
    for (header, payload) in [
        ("{}", r#"{"jti":"a","jti":["b",null,["c"]],"iat":9,"iat":-3,"iat":7.9}"#),
        (
            r#"{"kid":"k","kid":"l"}"#,
            r#"{"act":{"sub":"s","iat":1,"act":{"client_id":"c"}},"tid":"t","x":[{"y":1e3}]}"#,
        ),
        ("{}", r#"{"\u006ati":"\ud83d\ude00\u0000","sid":" x "}"#),
        (
            "{}",
            r#"{"sub":1175928847299117063,"sid":1.00225e15,"jti":-12345678.25,"tid":1E-7,"azp":10020123456789012345}"#,
        ),
        (
            r#"{"kid":7,"b64":true}"#,
            r#"{"SUB":7.0," jti ":[1e2,-0,12.50e-1],"iat":"9.5","IAT":1e19,"\u017fid":null,"act":{"Sub":"a","act":"x"}}"#,
        ),
        (
            "{}",
            "{\"x\":\"\\ud800\",\"y\":[[{\"sub\":\"\\\"\"}]],\"z\":1e400,\"act\":null,\"sub\":true,\"tid\":[{\"...\":\"d\"},\"t\"],\"iat\":9}",
        ),
    ] {
        seeds.push(world::join([header, payload]));
    }
    seeds.push(world::join([
        "{}",
        r#"{"_sd":["d"],"tid":[{"...":"e"}],"iat":9}"#,
        r#"["salt","sub","s"]"#,
        r#"["salt","act",{"sub":"a","_sd":["f"],"act":{"azp":1}}]"#,
        r#"["salt","client_id",["c",{"...":"g"}]]"#,
        r#"["salt","iat",3]"#,
        r#"["salt",["t",7.5]]"#,
    ]));
    seeds
}

/// A token that presents [`MALLORY`](world::MALLORY).
pub(crate) fn token_of_mallory() -> String {
    format!(
        "e30.{}.x",
        URL_SAFE_NO_PAD.encode(format!(r#"{{"sub":"{}"}}"#, world::MALLORY))
    )
}
