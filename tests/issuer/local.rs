//! The issuer's own replica.

use tower_revocation::issuer::MemoryPublisher;
use tower_revocation::source::Memory;
use tower_revocation::{Credential, Key, RevocationLayer, Verdict, identify};

use crate::{Home, block};

#[tokio::test]
async fn refuses_at_once_and_also_after_a_restart() {
    let home = Home::new();
    let credential = || Credential::from(Key::session("s-1"));
    let pair = || RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
    let (_layer, sink) = pair();
    // The broker is away the whole time.
    let issuer = home.open().applying_to(sink.clone()).unwrap();
    assert!(!matches!(sink.decide(&credential()), Verdict::Revoked(_)));
    block(&issuer, "s-1").await;
    assert!(matches!(sink.decide(&credential()), Verdict::Revoked(_)));
    drop(issuer);

    let (_layer, sink) = pair();
    let _issuer = home
        .open()
        .applying_to(sink.clone())
        .unwrap()
        .publishing_to(MemoryPublisher::new(&Memory::new("broker")));
    assert!(matches!(sink.decide(&credential()), Verdict::Revoked(_)));
}
