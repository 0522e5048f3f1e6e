//! Keys that are fetched when a token needs them.

use std::convert::Infallible;
use std::future::ready;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{Empty, Full};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tower_revocation::jose::{
    Algorithm, COOL_DOWN, Discovery, JwsPolicy, REMOTE_KEYS_MAX_AGE, RemoteKeySet, VerifyError,
};

use crate::token_issuer::{METADATA, TokenIssuer, signed, token};

async fn verify(keys: &RemoteKeySet, token: &str) -> Result<(), String> {
    let policy = JwsPolicy::new([Algorithm::EdDsa]);
    keys.verify(token, &policy)
        .await
        .map(drop)
        .map_err(|error| error.to_string())
}

#[tokio::test(start_paused = true)]
async fn the_first_token_and_the_first_of_a_new_key_wait_for_a_fetch_and_no_others() {
    let issuer = TokenIssuer::new(&[1]);
    let keys = issuer.keys();
    assert!(keys.current().is_empty());
    for _ in 0..3 {
        verify(&keys, &token(1)).await.unwrap();
    }
    assert_eq!(issuer.asked().len(), 1);
    tokio::time::advance(COOL_DOWN).await;
    issuer.set(|shared| shared.seeds.push(2));
    let started = Instant::now();
    verify(&keys, &token(2)).await.unwrap();
    assert_eq!(started.elapsed(), Duration::ZERO, "at once");
    verify(&keys, &token(1)).await.unwrap();
    assert_eq!(issuer.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_unknown_keys_is_one_fetch_a_second() {
    let issuer = TokenIssuer::new(&[1]);
    let keys = issuer.keys();
    let started = Instant::now();
    for round in 1..=10 {
        let storm = (0..500).map(|_| {
            let keys = keys.clone();
            tokio::spawn(async move { verify(&keys, &token(9)).await })
        });
        for refused in storm.collect::<Vec<_>>() {
            assert_eq!(
                refused.await.unwrap().unwrap_err(),
                "header.kid names an unknown key: k9"
            );
        }
        assert_eq!(issuer.asked().len(), round, "one for all of them");
    }
    assert_eq!(started.elapsed(), COOL_DOWN * 9);
    // Meanwhile the issuer made a key. Whoever needs it waits for what is left of the second.
    issuer.set(|shared| shared.seeds.push(2));
    verify(&keys, &token(2)).await.unwrap();
    assert_eq!(started.elapsed(), COOL_DOWN * 10);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_fetched_for_what_cannot_be_right() {
    let issuer = TokenIssuer::new(&[1]);
    let keys = issuer.keys();
    let with = |header: &str| format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header));
    let five_parts = format!("{}.AA.AA", with(r#"{"alg":"EdDSA","kid":"k9"}"#));
    for token in [
        with(r#"{"alg":"HS256","kid":"k9"}"#),
        with(r#"{"alg":"none","kid":"k9"}"#),
        with(r#"{"alg":"RS256","kid":"k9"}"#),
        with(r#"{"alg":"EdDSA","kid":"k9","crit":["b64"]}"#),
        five_parts,
        "token".to_owned(),
    ] {
        assert!(verify(&keys, &token).await.is_err(), "{token}");
    }
    assert!(issuer.asked().is_empty(), "{:?}", issuer.asked());
}

#[tokio::test(start_paused = true)]
async fn a_failed_fetch_says_so_and_delays_nothing() {
    let issuer = TokenIssuer::new(&[1]);
    let keys = issuer.keys();
    issuer.set(|shared| shared.is_down = true);
    let policy = JwsPolicy::new([Algorithm::EdDsa]);
    let refused = keys.verify(&token(1), &policy).await.unwrap_err();
    assert!(matches!(refused, VerifyError::Keys(_)), "it may be right: {refused}");
    assert_eq!(
        keys.last_error().unwrap().to_string(),
        "https://sso.example/keys: status 503"
    );
    issuer.set(|shared| shared.is_down = false);
    let started = Instant::now();
    verify(&keys, &token(1)).await.unwrap();
    assert_eq!(started.elapsed(), COOL_DOWN, "no back-off");
    assert!(keys.last_error().is_none());
    // Old keys are better than none.
    issuer.set(|shared| shared.is_down = true);
    assert!(keys.refresh().await.is_err());
    verify(&keys, &token(1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_key_goes_when_it_is_asked_for_and_else_when_the_keys_are_old() {
    let issuer = TokenIssuer::new(&[1, 2]);
    let keys = issuer.keys();
    keys.refresh().await.unwrap();
    issuer.set(|shared| shared.seeds = vec![2]);
    verify(&keys, &token(1)).await.unwrap();
    keys.refresh().await.unwrap();
    assert!(verify(&keys, &token(1)).await.is_err());
    // Its own refusal has fetched once more.
    assert_eq!(issuer.asked().len(), 3);
    issuer.set(|shared| shared.seeds = vec![3]);
    tokio::time::advance(REMOTE_KEYS_MAX_AGE).await;
    verify(&keys, &token(2)).await.unwrap();
    while issuer.asked().len() < 4 || keys.current().contains("k2") {
        tokio::task::yield_now().await;
    }
    assert!(verify(&keys, &token(2)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_fetch_goes_on_when_nobody_waits_any_more() {
    let issuer = TokenIssuer::new(&[1]);
    issuer.answers.forget_permits(Semaphore::MAX_PERMITS);
    let keys = issuer.keys();
    let waiting = tokio::spawn({
        let keys = keys.clone();
        async move { verify(&keys, &token(1)).await }
    });
    while issuer.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    issuer.answers.add_permits(1);
    while keys.current().is_empty() {
        tokio::task::yield_now().await;
    }
    verify(&keys, &token(1)).await.unwrap();
    assert_eq!(issuer.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_does_not_answer_is_waited_for_five_seconds() {
    let issuer = TokenIssuer::new(&[1]);
    issuer.answers.forget_permits(Semaphore::MAX_PERMITS);
    let keys = issuer.keys();
    let started = Instant::now();
    assert!(
        verify(&keys, &token(1))
            .await
            .unwrap_err()
            .contains("cannot be fetched")
    );
    assert_eq!(started.elapsed(), tower_revocation::jose::KEYS_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn the_metadata_say_where_the_keys_are_and_again_when_they_have_moved() {
    let issuer = TokenIssuer::new(&[1]);
    let keys = issuer.discovered();
    verify(&keys, &token(1)).await.unwrap();
    assert_eq!(issuer.asked(), [METADATA, "https://sso.example/keys"]);
    keys.refresh().await.unwrap();
    assert_eq!(issuer.asked()[2..], ["https://sso.example/keys"]);
    issuer.set(|shared| {
        shared.jwks_uri = "https://keys.example/moved";
        shared.seeds = vec![2];
    });
    verify(&keys, &token(2)).await.unwrap();
    assert_eq!(
        issuer.asked()[3..],
        ["https://sso.example/keys", METADATA, "https://keys.example/moved"]
    );
}

#[tokio::test(start_paused = true)]
async fn another_issuers_metadata_name_no_keys() {
    let issuer = TokenIssuer::new(&[1]);
    let other = "https://sso.example/realms/acme/";
    let keys = RemoteKeySet::discovered(issuer.client(), Discovery::OpenIdConnect, other).unwrap();
    assert!(verify(&keys, &token(1)).await.is_err());
    let error = keys.last_error().unwrap().to_string();
    assert_eq!(error, format!("{METADATA}: metadata.issuer is not the expected issuer"));
}

#[tokio::test]
async fn shows_no_secrets_of_an_address() {
    let client = tower::service_fn(|_: Request<Empty<Bytes>>| {
        ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    });
    let keys = RemoteKeySet::at(
        client,
        Uri::from_static("https://user:password@sso.example/keys?secret=1"),
    );
    assert_eq!(
        format!("{keys:?}"),
        "RemoteKeySet { place: https://sso.example/keys, keys: 0 }"
    );
    let error = keys.refresh().await.unwrap_err().to_string();
    assert!(
        error.starts_with("https://sso.example/keys: body is not readable JSON"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_that_names_no_key_is_looked_at_once_more_with_new_ones() {
    let issuer = TokenIssuer::new(&[1]);
    let keys = issuer.keys();
    let unnamed = |seed| signed(seed, r#"{"alg":"EdDSA"}"#, "{}");
    verify(&keys, &unnamed(1)).await.unwrap();
    issuer.set(|shared| shared.seeds = vec![2]);
    verify(&keys, &unnamed(2)).await.unwrap();
    assert_eq!(issuer.asked().len(), 2);
    assert_eq!(
        verify(&keys, &unnamed(1)).await.unwrap_err(),
        "signature does not match"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_panics_is_no_answer() {
    let client = tower::service_fn(|request: Request<Empty<Bytes>>| async move {
        assert_eq!(request.uri(), "nowhere");
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let keys = RemoteKeySet::at(client, Uri::from_static("https://sso.example/keys"));
    assert!(
        verify(&keys, &token(1))
            .await
            .unwrap_err()
            .contains("cannot be fetched")
    );
}
