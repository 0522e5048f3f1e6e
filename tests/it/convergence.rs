//! Order, repetition and restarts don't matter (invariant 2): through the public interface, against a naive model.

use std::collections::HashMap;

use proptest::prelude::*;
use tower_revocation::{Event, Key, Reinstatement, Revocation, RevocationLayer, Snapshot, Timestamp};

use crate::support::{by_header, presenting, send};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Block,
    CutOff,
    Reinstate,
}

type Step = (u8, Said, u64);

/// A few keys and times, so that they meet.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let said = prop_oneof![Just(Said::Block), Just(Said::CutOff), Just(Said::Reinstate)];
    proptest::collection::vec((0..3_u8, said, 0..12_u64), 0..12)
}

/// With repetitions, in another order.
fn disturbed(steps: Vec<Step>) -> impl Strategy<Value = (Vec<Step>, Vec<Step>)> {
    let again = proptest::sample::subsequence(steps.clone(), 0..=steps.len());
    (Just(steps.clone()), again).prop_flat_map(move |(steps, again)| {
        let all = [steps.clone(), again].concat();
        (Just(steps), Just(all).prop_shuffle())
    })
}

fn key(index: u8) -> Key {
    match index {
        0 => Key::everything(),
        index => Key::subject(&index.to_string()),
    }
}

/// Half seconds, so that order within a second is put to the test.
fn time(half_secs: u64) -> Timestamp {
    Timestamp::from_unix_millis(half_secs * 500)
}

fn event((index, said, at): Step) -> Event {
    match said {
        Said::Block => Revocation::of(key(index)).at(time(at)).into(),
        Said::CutOff => Revocation::cut_off(key(index)).at(time(at)).into(),
        Said::Reinstate => Reinstatement::of(key(index), time(at)).into(),
    }
}

/// DESIGN's words, slowly: per key the latest block, the greatest cut-off, the latest reinstatement.
fn model(steps: &[Step], presented: &[u8], iat: Option<u64>) -> bool {
    let mut latest: HashMap<(u8, u8), u64> = HashMap::new();
    for (index, said, at) in steps {
        let slot = latest.entry((*index, *said as u8)).or_insert(*at);
        *slot = (*slot).max(*at);
    }
    let is_cut = |at: u64| iat.is_none_or(|iat| iat / 2 <= at / 2);
    presented.iter().chain(&[0]).any(|index| {
        let of = |said: Said| latest.get(&(*index, said as u8)).copied();
        let block = of(Said::Block);
        let is_lifted = block.is_some_and(|block| of(Said::Reinstate).is_some_and(|lifted| lifted > block));
        block.is_some_and(|block| !is_lifted || is_cut(block)) || of(Said::CutOff).is_some_and(is_cut)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_order_with_repetition_decides_as_the_model_does(
        (steps, disturbed) in steps().prop_flat_map(disturbed),
        one_by_one in any::<bool>(),
        iat in proptest::option::of(0..12_u64),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (layer, sink) = RevocationLayer::pair(by_header);
            sink.install(Snapshot::builder(Timestamp::now()).build()).unwrap();
            if one_by_one {
                for step in disturbed {
                    sink.apply(event(step)).unwrap();
                }
            } else {
                sink.apply_all(disturbed.into_iter().map(event)).unwrap();
            }
            for presented in [&[1][..], &[2], &[1, 2], &[9]] {
                let subjects: Vec<_> = presented.iter().map(u8::to_string).collect();
                let mut request = presenting(&subjects.join(" "));
                if let Some(iat) = iat {
                    request.headers_mut().insert("x-iat", (iat / 2).to_string().parse().unwrap());
                }
                let refused = send(&layer, request).await.status() == 401;
                prop_assert_eq!(refused, model(&steps, presented, iat), "{:?}", presented);
            }
            Ok(())
        })?;
    }
}
