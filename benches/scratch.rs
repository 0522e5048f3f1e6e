mod common;
use common::*;
use std::hint::black_box;
use std::time::Instant;
use tower_revocation::*;
fn time(name: &str, n: usize, mut f: impl FnMut(usize)) {
    let mut best = f64::MAX;
    let mut all = vec![];
    for _ in 0..7 {
        let s = Instant::now();
        for i in 0..n {
            f(i);
        }
        let t = s.elapsed().as_nanos() as f64 / n as f64;
        all.push(t);
        best = best.min(t);
    }
    all.sort_by(f64::total_cmp);
    println!("{name:40} median {:.1} best {best:.1}", all[3]);
}
fn main() {
    let n = CREDENTIALS;
    let reqs = requests(MISSES, n);
    let mut order: Vec<u32> = (0..n as u32).collect();
    fastrand::Rng::with_seed(3).shuffle(&mut order);
    for (s, o) in [(0, 0), (1_000_000, 0), (1_000_000, 10_000)] {
        let sink = sink(s, o);
        let creds: Vec<Credential> = reqs.iter().map(Ids::credential).collect();
        let keys: Vec<[Key; 3]> = reqs
            .iter()
            .map(|r| [Key::token(&r.token), Key::subject(&r.subject), Key::session(&r.session)])
            .collect();
        println!(
            "{s}+{o} sizes key {} cred {}",
            size_of::<Key>(),
            size_of::<Credential>()
        );
        time("one credential again and again", n, |_| {
            black_box(sink.decide(black_box(&creds[7])));
        });
        time("creds random", n, |i| {
            black_box(sink.decide(&creds[order[i] as usize]));
        });
        time("creds sequential", n, |i| {
            black_box(sink.decide(&creds[i]));
        });
        time("keys random, built", n, |i| {
            let k = &keys[order[i] as usize];
            let c = Credential::new()
                .with_key(k[0])
                .with_key(k[1])
                .with_key(k[2])
                .with_issued_at(Timestamp::from_unix_secs(1));
            black_box(sink.decide(&c));
        });
        time("keys sequential, built", n, |i| {
            let k = &keys[i];
            let c = Credential::new()
                .with_key(k[0])
                .with_key(k[1])
                .with_key(k[2])
                .with_issued_at(Timestamp::from_unix_secs(1));
            black_box(sink.decide(&c));
        });
        time("hash only seq", n, |i| {
            black_box(reqs[i].credential());
        });
        time("hash only one", n, |_| {
            black_box(black_box(&reqs[3]).credential());
        });
        time("now", n, |_| {
            black_box(tokio::time::Instant::now());
        });
    }
}
