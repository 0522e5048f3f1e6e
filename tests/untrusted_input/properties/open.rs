//! The open format of lists: any manifest and any body, signed together.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};
use tower_revocation::crl::ListFormat;
use tower_revocation::crl::open::OpenList;
use tower_revocation::{InstallError, Key, RevocationList, Timestamp};

use super::registry::{ISSUER, NOW, keys, sign};
use super::tree::Tree;
use super::world;

/// A list is read if another reader, which is strict, reads it as well, and says the same. The input is a manifest and, behind a separator, the
/// body; in the manifest, an empty digest stands for that of the body. If the separator is missing, it is a file.
pub(crate) fn check(input: &[u8]) {
    let format = OpenList::new(ISSUER);
    let at = input.iter().position(|byte| *byte == SEPARATOR);
    let Some((manifest, body)) = at.map(|at| (&input[..at], &input[at + 1..])) else {
        // Nobody signed it but who signed the seed.
        let read = format.read_list(input, keys(), NOW);
        assert!(read.is_err() || *input == seed_file(), "{read:?}");
        return;
    };
    let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(body));
    let manifest = match std::str::from_utf8(manifest) {
        Ok(text) => text
            .replacen(r#""digest":"""#, &format!(r#""digest":"{digest}""#), 1)
            .into_bytes(),
        Err(_) => manifest.to_vec(),
    };
    let list = format.read_list(&file(&manifest, body), keys(), NOW);
    let said = Tree::read(&manifest).and_then(|manifest| said(&manifest, body, &digest));
    match (list, said) {
        (Ok(list), Some(said)) => install(list, &said),
        (Err(_), None) => {}
        (list, said) => panic!("{list:?} is not {said:?}"),
    }
}

/// What a list says.
#[derive(Debug)]
struct Said {
    issued_at: Timestamp,
    expires_at: Option<Timestamp>,
    covers: usize,
    /// By kind, name and id: whether it is blocked, by any entry.
    keys: BTreeMap<(String, String, String), bool>,
}

fn install(list: RevocationList, said: &Said) {
    assert_eq!(list.entries(), said.keys.len());
    assert_eq!(
        (list.issued_at(), list.expires_at()),
        (Some(said.issued_at), said.expires_at)
    );
    assert_eq!(list.covers().len(), said.covers);
    let sink = world::without_list();
    match sink.install(list) {
        Err(InstallError::FromFuture { .. }) => assert!(said.issued_at > NOW),
        installed => {
            installed.expect("the first list is taken");
            for ((kind, name, id), is_blocked) in &said.keys {
                if *is_blocked {
                    assert!(world::is_blocked(&sink, key(kind, name, id)), "{kind} {id}");
                }
            }
        }
    }
    world::assert_still_blocked(&sink);
}

fn key(kind: &str, name: &str, id: &str) -> Key {
    match kind {
        "client" => Key::client(id),
        "everything" => Key::everything(),
        "named" => Key::named(name, id),
        "session" => Key::session(id),
        "signing-key" => Key::signing_key(id),
        "subject" => Key::subject(id),
        "tenant" => Key::tenant(id),
        "token" => Key::token(id),
        other => panic!("{other} is no kind"),
    }
}

/// What a manifest and a body say, if they say all that they have to and nothing else.
fn said(manifest: &Tree, body: &[u8], digest: &str) -> Option<Said> {
    let members = ["iss", "iat", "exp", "generation", "covers", "sections", "digest"];
    let (issued_at, expires_at) = (
        date(manifest.get("iat")?)?,
        match manifest.get("exp") {
            None | Some(Tree::Null) => None,
            Some(exp) => Some(date(exp)?),
        },
    );
    let is_good = manifest.has_only(&members)
        && manifest.get("iss")?.text()? == ISSUER
        && !manifest.get("generation")?.text()?.is_empty()
        && manifest.get("digest")?.text()? == digest
        && expires_at.is_none_or(|exp| exp > issued_at && exp > NOW);
    let (Tree::List(covers), Tree::List(sections)) = (manifest.get("covers")?, manifest.get("sections")?) else {
        return None;
    };
    let mut logs = Vec::new();
    for covered in covers {
        let (log, digest) = (covered.get("log")?.text()?, covered.get("digest")?.text()?);
        let is_16_bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 16);
        covered.get("n")?.integer()?;
        let is_covered = covered.has_only(&["log", "n", "digest"]) && is_16_bytes(log) && is_16_bytes(digest);
        if !is_covered || logs.contains(&log) {
            return None;
        }
        logs.push(log);
    }
    let (mut keys, mut rest) = (BTreeMap::new(), body);
    for section in sections {
        let (kind, name) = (
            section.get("kind")?.text()?,
            match section.get("name") {
                None | Some(Tree::Null) => None,
                Some(name) => Some(name.text()?),
            },
        );
        let is_known = section.has_only(&["kind", "name", "encoding", "count", "bytes"])
            && section.get("encoding")?.text()? == "text"
            && KINDS.contains(&kind)
            && name.is_some() == (kind == "named");
        if !is_known {
            return None;
        }
        let length = usize::try_from(section.get("bytes")?.integer()?).ok()?;
        let (mut entries, behind) = rest.split_at_checked(length)?;
        rest = behind;
        for _ in 0..section.get("count")?.integer()? {
            let (length, more) = entries.split_first_chunk::<4>()?;
            let (id, more) = more.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            let (rest, more) = more.split_first_chunk::<18>()?;
            let id = String::from_utf8(id.to_vec()).ok()?;
            let mut more = more;
            if rest[0] == 2 {
                let (count, spared) = more.split_first()?;
                more = spared;
                for nth in 0..3 * usize::from(*count) {
                    let (length, text) = more.split_first_chunk::<4>()?;
                    let (text, behind) = text.split_at_checked(u32::from_be_bytes(*length) as usize)?;
                    let text = str::from_utf8(text).ok()?;
                    if nth % 3 == 0 && !KINDS.contains(&text) {
                        return None;
                    }
                    more = behind;
                }
                if !(1..=4).contains(count) {
                    return None;
                }
            }
            if rest[0] > 2 || kind == "everything" && !id.is_empty() {
                return None;
            }
            let key = (kind.to_owned(), name.unwrap_or_default().to_owned(), id);
            *keys.entry(key).or_insert(false) |= rest[0] == 0;
            entries = more;
        }
        if !entries.is_empty() {
            return None;
        }
    }
    (is_good && rest.is_empty()).then_some(Said {
        issued_at,
        expires_at,
        covers: covers.len(),
        keys,
    })
}

fn date(date: &Tree) -> Option<Timestamp> {
    let secs = match date {
        Tree::Integer(secs) => *secs as f64,
        Tree::Negative(secs) => *secs as f64,
        Tree::Float(secs) => *secs,
        _ => return None,
    };
    let millis = (secs * 1000.0).round();
    (0.0..253_402_300_800_000.0)
        .contains(&millis)
        .then(|| Timestamp::from_unix_millis(millis as u64))
}

fn file(manifest: &[u8], body: &[u8]) -> Vec<u8> {
    let token = sign(br#"{"alg":"EdDSA","typ":"revocation-list+jwt","kid":"k1"}"#, manifest);
    let length = u32::try_from(token.len()).expect("it is short").to_be_bytes();
    [b"\x89REVOKED\x01", &length[..], token.as_bytes(), body].concat()
}

/// A manifest and a body, with these sections: kind, name, count, and how many of the bytes are its own.
fn seed(covers: usize, sections: &[(&str, Option<&str>, u64, usize)], body: &[u8]) -> Vec<u8> {
    let covered = |log: usize| {
        let text = URL_SAFE_NO_PAD.encode([log as u8; 16]);
        json!({ "log": text, "n": 42, "digest": text })
    };
    let section = |(kind, name, count, bytes): &(&str, Option<&str>, u64, usize)| {
        let mut section = json!({ "kind": kind, "encoding": "text", "count": count, "bytes": bytes });
        if let Some(name) = name {
            section["name"] = json!(name);
        }
        section
    };
    let manifest = json!({
        "iss": ISSUER, "iat": 1_795_406_400.25, "exp": 4_000_000_000_u64, "generation": "g",
        "covers": (0..covers).map(covered).collect::<Vec<_>>(),
        "sections": sections.iter().map(section).collect::<Vec<_>>(),
        "digest": "",
    });
    [manifest.to_string().as_bytes(), &[SEPARATOR], body].concat()
}

fn seed_file() -> Vec<u8> {
    let manifest = json!({
        "iss": ISSUER, "iat": 1_795_406_400, "generation": "g", "covers": [], "sections": [],
        "digest": URL_SAFE_NO_PAD.encode(Sha256::digest(b"")),
    });
    file(manifest.to_string().as_bytes(), b"")
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let entry = |id: &str, effect: u8| {
        [
            &(id.len() as u32).to_be_bytes()[..],
            id.as_bytes(),
            &[effect, 1],
            &[0; 16],
        ]
        .concat()
    };
    let (token, cut_off, named, all) = (entry("t-1", 0), entry("t-2", 1), entry("d", 0), entry("", 1));
    let text = |text: &str| [&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat();
    let spared = [text("session"), text(""), text("s-1")].concat();
    let sparing = [&entry("t-2", 2)[..], &[1], &spared].concat();
    let body = [&all[..], &named, &token, &cut_off, &sparing].concat();
    let tokens = token.len() + cut_off.len() + sparing.len();
    let sections = [
        ("everything", None, 1, all.len()),
        ("named", Some("device"), 1, named.len()),
        ("token", None, 3, tokens),
    ];
    vec![
        seed(1, &sections, &body),
        seed(0, &[], b""),
        seed(
            2,
            &[("session", None, 2, 2 * token.len())],
            &[&token[..], &token].concat(),
        ),
        seed_file(),
    ]
}

const KINDS: [&str; 8] = [
    "client",
    "everything",
    "named",
    "session",
    "signing-key",
    "subject",
    "tenant",
    "token",
];

/// No JSON has this byte in it, but in a string, where it is none.
const SEPARATOR: u8 = 0x1e;
