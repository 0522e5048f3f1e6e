//! How much memory do a list and an overlay of a million entries take? Linux only: reads `/proc/self/status`.
//!
//! ```text
//! cargo run --release --example footprint -- [ENTRIES]
//! ```

#[path = "common/signed_list.rs"]
mod signed_list;

use std::error::Error;
use std::fs;

use ed25519_dalek::SigningKey;
use signed_list::signed;
use tower_revocation::crl::clawdentity::ClawdentityList;
use tower_revocation::crl::{KeySet, ListFormat, PublicKey};
use tower_revocation::{Credential, Key, Revocation, RevocationLayer, RevocationList, Timestamp};

#[expect(clippy::print_stdout, reason = "figures are what it is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let entries: usize = std::env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse())?;
    let (_layer, sink) = RevocationLayer::pair(|_: &()| Credential::new());
    let capacity = std::num::NonZeroUsize::new(entries + 2).ok_or("too many")?;
    sink.configure(|config| config.with_capacity(capacity));

    let before = resident("VmRSS")?;
    sink.apply_all((0..entries).map(|i| Revocation::block(Key::subject(&format!("agent {i}")))))?
        .wait()?;
    // Another event, so that the state that readers do not see has caught up as well.
    sink.apply(Revocation::block(Key::subject("another")))?.wait()?;
    sink.apply(Revocation::block(Key::subject("and another")))?.wait()?;
    let overlay = resident("VmRSS")? - before;
    println!(
        "overlay   {:>6.1} bytes an entry, resident",
        overlay as f64 / entries as f64
    );

    let before = resident("VmRSS")?;
    let mut list = RevocationList::builder(Timestamp::from_unix_secs(1));
    for i in 0..entries {
        list.push(&Revocation::block(Key::token(&format!("token {i}"))));
    }
    sink.install(list.build())?;
    let snapshot = resident("VmRSS")?.saturating_sub(before);
    println!(
        "snapshot  {:>6.1} bytes an entry, resident",
        snapshot as f64 / entries as f64
    );

    let key = SigningKey::from_bytes(&[7; 32]);
    let body = signed(entries, &key)?;
    let keys = KeySet::default().with_key(
        "k1",
        PublicKey::from_ed25519(key.verifying_key().as_bytes()).ok_or("a weak key")?,
    );
    let before = resident("VmRSS")?;
    forget_peak()?;
    let list = ClawdentityList::new("https://registry.example.com");
    sink.install(list.read_list(body.as_bytes(), &keys, Timestamp::now())?)?;
    let peak = body.len() as u64 + resident("VmHWM")?.saturating_sub(before);
    println!(
        "installing a list of {:.0} MB takes {:.0} MB at its peak, itself included: {:.2} times its size",
        body.len() as f64 / 1e6,
        peak as f64 / 1e6,
        peak as f64 / body.len() as f64
    );
    Ok(())
}

/// A line of `/proc/self/status`, in bytes.
fn resident(name: &str) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with(name))
        .ok_or("no such line")?;
    let kilobytes: u64 = line.split_ascii_whitespace().nth(1).ok_or("no figure")?.parse()?;
    Ok(kilobytes * 1024)
}

/// Makes the peak start from here.
fn forget_peak() -> std::io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}
