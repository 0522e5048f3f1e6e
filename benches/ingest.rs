//! How long does a signed list take from its bytes to being in force? Against the sum of what cannot be left out.

mod common;

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{LIST, is_test, short, subjects, tokens};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ed25519_dalek::{Signature, Signer, SigningKey};
use serde::de::IgnoredAny;
use tower_revocation::crl::clawdentity::ClawdentityList;
use tower_revocation::crl::{KeySet, ListFormat, PublicKey};
use tower_revocation::{Credential, RevocationLayer, Timestamp};

fn ingest(criterion: &mut Criterion) {
    let entries = if is_test() { 1_000 } else { 1_000_000 };
    let key = SigningKey::from_bytes(&[7; 32]);
    let list = Signed::new(entries, &key);
    let public = PublicKey::from_ed25519(key.verifying_key().as_bytes()).expect("a good key");
    let keys = KeySet::default().with_key("k1", public);
    let format = ClawdentityList::new("https://registry.example.com");
    let now = Timestamp::from_unix_secs(list.issued_at);

    let mut group = criterion.benchmark_group(format!("ingest/{}", short(entries)));
    group
        .throughput(Throughput::Bytes(list.body.len() as u64))
        .sample_size(10)
        .measurement_time(Duration::from_secs(if is_test() { 1 } else { 10 }));
    group.bench_function("ours", |bencher| {
        let pair = || RevocationLayer::pair(|_: &()| Credential::new());
        bencher.iter_batched(
            pair,
            |(layer, sink)| {
                let snapshot = format.read_list(list.body.as_bytes(), &keys, now).expect("a good list");
                sink.install(snapshot).expect("the first list");
                assert_eq!(sink.status().snapshot.expect("it is installed").entries, entries);
                (layer, sink)
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("floor_ed25519", |bencher| {
        bencher.iter(|| {
            key.verifying_key()
                .verify_strict(list.message.as_bytes(), &list.signature)
                .expect("it holds")
        });
    });
    let payload = list.message.split_once('.').expect("two parts").1;
    group.bench_function("floor_base64", |bencher| {
        bencher.iter(|| black_box(URL_SAFE_NO_PAD.decode(payload).expect("it is base64url")));
    });
    let json = URL_SAFE_NO_PAD.decode(payload).expect("it is base64url");
    group.bench_function("floor_serde_ignored_any", |bencher| {
        bencher.iter(|| black_box(serde_json::from_slice::<IgnoredAny>(&json).expect("it is JSON")));
    });
    group.finish();
}

/// A registry's answer, and its parts.
struct Signed {
    issued_at: u64,
    message: String,
    signature: Signature,
    body: String,
}

impl Signed {
    fn new(entries: usize, key: &SigningKey) -> Self {
        let issued_at = Timestamp::now().as_unix_secs();
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","typ":"CRL","kid":"k1"}"#);
        let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims(entries, issued_at)));
        let signature = key.sign(message.as_bytes());
        let body = format!(
            r#"{{"crl":"{message}.{}"}}"#,
            URL_SAFE_NO_PAD.encode(signature.to_bytes())
        );
        Self {
            issued_at,
            message,
            signature,
            body,
        }
    }
}

fn claims(entries: usize, issued_at: u64) -> String {
    let mut claims = format!(
        r#"{{"iss":"https://registry.example.com","jti":"01KDVDNA0KCWHDXV8G2W5BKZ0J","iat":{issued_at},"exp":{},"revocations":["#,
        issued_at + 390
    );
    for (at, (jti, did)) in ulids(tokens(LIST, entries)).zip(dids(entries)).enumerate() {
        let comma = if at == 0 { "" } else { "," };
        write!(
            claims,
            r#"{comma}{{"jti":"{jti}","agentDid":"{did}","reason":"reissued","revokedAt":{issued_at}}}"#
        )
        .expect("a string takes all");
    }
    claims.push_str("]}");
    claims
}

/// A ULID has 128 bits, so that its first digit is at most 7.
fn ulids(random: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    random.map(|id| format!("0{}", &id[1..]))
}

fn dids(entries: usize) -> impl Iterator<Item = String> {
    subjects(LIST, entries).map(|did| {
        let (authority, id) = did.rsplit_once(':').expect("a DID has parts");
        format!("{authority}:0{}", &id[1..])
    })
}

criterion_group!(benches, ingest);
criterion_main!(benches);
