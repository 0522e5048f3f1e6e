//! Values of a header that holds tokens.

use tower_revocation::Identity;

use super::claims::{identify, is_refused, token_of_mallory};
use super::world;

/// Whatever stands beside a revoked token, in the same value or in another, does not hide it.
pub(crate) fn check(input: &[u8]) {
    let values: Vec<_> = world::parts(input).collect();
    if let Identity::Presented(credential) | Identity::Partial(credential, _) = identify(&values) {
        let may_have_one = |value: &&[u8]| value.iter().filter(|byte| **byte == b'.').count() >= 2;
        assert!(values.iter().any(may_have_one), "there is none: {credential:?}");
        // As small as what it was read from.
        let read: usize = values.iter().map(|value| value.len()).sum();
        assert!(credential.keys().count() <= read);
    }
    let sink = world::domain();
    let revoked = format!("Claw {}", token_of_mallory());
    let mut before = vec![revoked.as_bytes()];
    before.extend(&values);
    let mut after = values.clone();
    after.push(revoked.as_bytes());
    for values in [before, after] {
        assert!(is_refused(&sink, &identify(&values)), "it is hidden");
    }
    for value in values
        .iter()
        .filter(|value| http::HeaderValue::from_bytes(value).is_ok())
    {
        for value in [
            [value, &b","[..], revoked.as_bytes()].concat(),
            [revoked.as_bytes(), b",", value].concat(),
            [revoked.as_bytes(), b" ", value].concat(),
        ] {
            assert!(is_refused(&sink, &identify(&[&value])), "it is hidden: {value:?}");
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let tokens: Vec<_> = ["ait", "live/ait"]
        .into_iter()
        .flat_map(|folder| world::vectors(folder, ".jwt"))
        .map(|token| String::from_utf8_lossy(&token).trim().to_owned())
        .collect();
    let mut seeds: Vec<_> = tokens
        .iter()
        .map(|token| format!("Claw {token}").into_bytes())
        .collect();
    seeds.push(world::join([
        format!("Basic dXNlcg==, claw\t{}", tokens[0]),
        format!("CLAW {}", tokens[1]),
    ]));
    seeds.push(b"Claw \xa0e30.e30. Claw".to_vec());
    seeds.push(b"Claw e30.eyJpYXQiOjV9.x~WyJzIiwic3ViIiwieCJd~e30.e30.x".to_vec());
    seeds
}
