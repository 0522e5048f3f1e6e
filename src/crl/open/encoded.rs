//! What an issuer has in force, as the body of a list.

use std::error::Error;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::crl::open::manifest::Manifest;
use crate::crl::open::section::{ListSection, ListedRow, TEXT};
use crate::model::log_place::LogPosition;
use crate::model::timestamp::Timestamp;
use crate::statements::expiry::is_over;
use crate::statements::in_force::InForce;

/// The body of a list, and what a manifest says of it. Whatever says the same is the same, to the byte.
#[derive(Clone, Debug)]
pub(crate) struct EncodedList {
    pub(crate) body: Vec<u8>,
    /// A name for all that the list says.
    pub(crate) generation: String,
    covers: Vec<LogPosition>,
    sections: Vec<ListSection>,
    digest: [u8; 32],
}

impl EncodedList {
    /// Encodes what is in force, without what was to be forgotten a while before `now`. Takes time proportional to it, and sorts it.
    pub(crate) fn of(in_force: &InForce, now: Timestamp) -> Result<Self, UnwritableId> {
        let mut rows: Vec<_> = in_force
            .statements
            .iter()
            .flat_map(ListedRow::of)
            .filter(|row| !is_forgotten(row, now))
            .collect();
        rows.sort_unstable_by(ListedRow::cmp);
        rows.dedup();
        let (mut body, mut sections) = (Vec::new(), Vec::new());
        for rows in rows.chunk_by(|one, other| one.place() == other.place()) {
            let (kind, name) = rows[0].place();
            let before = body.len();
            for row in rows {
                row.write(&mut body).ok_or(UnwritableId)?;
            }
            sections.push(ListSection {
                kind: kind.to_owned(),
                name: (kind == "named").then(|| name.to_owned()),
                encoding: TEXT.to_owned(),
                count: rows.len() as u64,
                bytes: (body.len() - before) as u64,
            });
        }
        let mut covers = in_force.covers.clone();
        covers.sort_unstable();
        let digest: [u8; 32] = Sha256::digest(&body).into();
        Ok(Self {
            generation: generation(&digest, &sections, &covers),
            body,
            covers,
            sections,
            digest,
        })
    }

    /// Returns what a list with this body says of itself.
    pub(crate) fn manifest(&self, issuer: &str, issued_at: Timestamp, expires_at: Option<Timestamp>) -> Manifest {
        Manifest {
            issuer: issuer.to_owned(),
            issued_at,
            expires_at,
            generation: self.generation.clone(),
            covers: self.covers.clone(),
            sections: self.sections.clone(),
            digest: self.digest,
        }
    }

    /// Returns how many entries there are.
    #[cfg_attr(
        not(feature = "cloudevents"),
        expect(dead_code, reason = "only a server of lists tells it")
    )]
    pub(crate) fn entries(&self) -> u64 {
        self.sections.iter().map(|section| section.count).sum()
    }
}

/// Whether an entry was to be forgotten so long ago that no list has to carry it.
pub(crate) fn is_forgotten(row: &ListedRow<'_>, now: Timestamp) -> bool {
    row.forgotten_at().is_some_and(|at| is_over(at, now))
}

fn generation(digest: &[u8; 32], sections: &[ListSection], covers: &[LogPosition]) -> String {
    let mut hash = Sha256::new();
    hash.update(digest);
    for section in sections {
        for text in [&section.kind, section.name.as_ref().unwrap_or(&section.kind)] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        hash.update(section.bytes.to_be_bytes());
    }
    for LogPosition { log, n, digest } in covers {
        hash.update(log.to_bytes());
        hash.update(n.to_be_bytes());
        hash.update(digest.to_bytes());
    }
    URL_SAFE_NO_PAD.encode(&hash.finalize()[..16])
}

/// Says that an id takes 4 GiB or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnwritableId;

impl fmt::Display for UnwritableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is too long for a list")
    }
}

impl Error for UnwritableId {}
