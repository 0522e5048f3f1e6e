//! The open format of revocation lists: a signed manifest, and a body in binary.
//!
//! A list is a file:
//!
//! | Bytes | What they are |
//! |---|---|
//! | 8 | `89 52 45 56 4F 4B 45 44`: 0x89 and `REVOKED` |
//! | 1 | the version of the format: 1 |
//! | 4 | the length of the manifest, big-endian |
//! | as stated | the manifest: a JWS in compact serialization, EdDSA, of `typ` `revocation-list+jwt` |
//! | the rest | the body |
//!
//! The payload of the manifest is a JSON object with these members, and no others:
//!
//! | Member | What it says |
//! |---|---|
//! | `iss` | Who issued the list. |
//! | `iat` | When the issuer began to look up what is in force, in seconds since the epoch, with up to three decimals. |
//! | `exp` | Optional: until when the list may be fetched or confirmed, as `iat`. |
//! | `generation` | A name for what the list says: if two lists have the same, they say the same. |
//! | `covers` | How much of the issuer's own logs the list takes into account: objects of `log`, `n` and `digest`, as [events state them](crate::format::revocation). |
//! | `sections` | What lies in the body, in that order: objects of `kind`, `name` (of kind `named` alone), `encoding`, `count` and `bytes`. |
//! | `digest` | The SHA-256 of the body, in base64url without padding. |
//!
//! A section holds the revocations of keys of one kind. There is one encoding, `text`, and room for others. In it, each of `count`
//! entries is:
//!
//! | Bytes | What they are |
//! |---|---|
//! | 4 | the length of the id, big-endian |
//! | as stated | the id, in UTF-8; nothing for the kind `everything` |
//! | 1 | the effect: 0 for a block, 1 for a cut-off, 2 for a cut-off that spares something |
//! | 1 | the reason: 0 none, 1 `cessation-of-operation`, 2 `key-compromise`, 3 `privilege-withdrawn`, 4 `superseded`; another counts as none |
//! | 8 | when it took effect, in milliseconds since the epoch, big-endian |
//! | 8 | when it may be forgotten, as above; 0 if that is not stated |
//! | 1 | of effect 2 alone: how many keys it spares, up to 4; each of them is a kind, a name (empty but for `named`) and an id, and each of these a text with its length in front, as above |
//!
//! Several entries of one key count together. A time of a whole second stands for all of that second.
//!
//! A reader refuses the whole list if it does not know the version, a member, a kind, an encoding or an effect: it may not be all of
//! the list.

pub(crate) mod list;
pub(crate) mod contents;
pub(crate) mod encoded;
pub(crate) mod manifest;
pub(crate) mod section;
pub(crate) mod container;

pub use contents::ListContents;
pub use list::{MEDIA_TYPE, OpenList};
