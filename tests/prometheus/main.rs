//! What is exported, and the rules that go by it, before a real Prometheus.
//!
//! `cargo build --example gateway && cargo test --features full,brokers --test prometheus`. It takes the Debian package
//! prometheus, which brings promtool as well; where a program is missing, the test that wants it fails and says so.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "../support/limit.rs"]
mod limit;
mod prometheus;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use http::Method;
use tokio::time::timeout;
use tower_revocation::Timestamp;

use crate::limit::in_time;
use crate::process::{Gateway, PATIENCE, eventually};
use crate::prometheus::Prometheus;
use crate::server::{free_port, installed};
use crate::web::call;

/// Where the rules are.
fn rules() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/prometheus"))
}

#[test]
fn rules_and_configuration_are_sound_and_each_alert_fires_when_it_should() {
    for arguments in [
        ["check", "rules", "rules.yml"],
        ["check", "config", "prometheus.yml"],
        ["test", "rules", "rules.test.yml"],
    ] {
        let mut promtool = Command::new(installed("promtool", prometheus::REMEDY));
        let output = promtool.args(arguments).current_dir(rules()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&said)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_is_scraped_its_rules_are_evaluated_and_what_is_amiss_is_told_of() {
    in_time(async {
        let state = tempfile::tempdir().unwrap();
        let kept = state.path().join("state");
        let well = Gateway::start(&["--canary", "1s", "--state-dir", kept.to_str().unwrap()]).await;
        let well = well.ready().await;
        let registry = format!("http://127.0.0.1:{}", free_port());
        let lost = Gateway::start(&["--registry", &registry]).await;
        let gone = format!("127.0.0.1:{}", free_port());
        let name = |gateway: &Gateway| gateway.admin.strip_prefix("http://").unwrap().to_owned();
        let (well_name, lost_name) = (name(&well), name(&lost));
        let prometheus = Prometheus::start(&rules().join("rules.yml"), &[&well_name, &lost_name, &gone]).await;
        let of_well = |metric: &str| metric.replace("{}", &format!("{{instance=\"{well_name}\"}}"));

        let agent = well.register().await;
        assert_eq!(well.ask(&agent.ait).await.status, 200);
        let revoked_at = Timestamp::now().as_unix_secs();
        well.revoke(&agent.id, "").await;
        eventually(async || (well.ask(&agent.ait).await.status == 401).then_some(())).await;
        // That one may have been admitted, and its response withheld: it counts as cut. This one is refused.
        assert_eq!(well.ask(&agent.ait).await.status, 401);
        for query in [
            "up{} == 1",
            "revocation_ready{} == 1",
            "revocation_fresh{} == 1",
            "sum(revocation_decisions_total{}) by (instance, verdict) >= 1",
            "sum(revocation_enforcement_delay_seconds_count{}) by (instance) > 2",
            // Proofs go on coming, and are as old as they may be by both clocks.
            "time() - revocation_canary_proof_timestamp_seconds{} < revocation_canary_max_age_seconds{}",
            "time() - revocation_exported_timestamp_seconds{} < 10",
            "sum(revocation_feed_state{}) by (instance) == 1",
            "revocation:list_age_seconds{} < 60",
            "revocation:enforcement_delay_seconds:p99_5m{} < 1",
        ] {
            prometheus.until(&of_well(query)).await;
        }
        // By an event, or by the list that the gateway fetched meanwhile.
        let revoked = "sum(revocation_decisions_total{instance=\"NAME\",verdict=\"revoked\"}) >= 1";
        let revoked = revoked.replace("NAME", &well_name);
        prometheus.until(&revoked).await;

        // What the manual has people ask. All of it makes sense, and whoever may not know of that revocation is found, by canary and by
        // list: who is gone, who has no list, and who has one of before.
        let manual = Manual::read();
        for query in queries(&manual.0) {
            prometheus.query(query).await;
        }
        let who_may_not_know = manual.who_may_not_know(revoked_at);
        assert_eq!(who_may_not_know.len(), 2);
        let mut others = [lost_name.as_str(), gone.as_str()];
        others.sort_unstable();
        for query in who_may_not_know {
            let only_others = async || {
                call(Method::POST, &format!("{}/refresh", well.admin), &[], "").await;
                let found = prometheus.query(&query).await;
                let mut names: Vec<_> = found
                    .iter()
                    .filter_map(|it| it["metric"]["instance"].as_str())
                    .collect();
                names.sort_unstable();
                (names == others).then_some(())
            };
            // Whoever reads of a failure wants to know which.
            let in_time = timeout(PATIENCE - Duration::from_secs(1), eventually(only_others)).await;
            assert!(in_time.is_ok(), "others are found than {others:?}: {query}");
        }

        // Now that there is a list, each panel shows something.
        for panel in queries(manual.dashboard()) {
            prometheus.until(panel).await;
        }

        // All rules were evaluated, and found to make sense.
        let problems = eventually(async || prometheus.rules_that_are_not_well().await).await;
        assert_eq!(problems, [] as [String; 0]);
        let firing = |alert: &str, instance: &str| {
            format!("ALERTS{{alertname=\"{alert}\",alertstate=\"firing\",instance=\"{instance}\"}}")
        };
        prometheus.until(&firing("RevocationNotReady", &lost_name)).await;
        prometheus.until(&firing("RevocationMetricsAbsent", &gone)).await;
        let wrong = format!("ALERTS{{instance=\"{well_name}\"}}");
        assert_eq!(
            prometheus.query(&wrong).await,
            [] as [serde_json::Value; 0],
            "all is well there"
        );

        // And one that dies is missed.
        well.kill().await;
        prometheus.until(&firing("RevocationMetricsAbsent", &well_name)).await;
        let reply = call(Method::GET, &format!("{}/readyz", lost.admin), &[], "").await;
        assert_eq!(reply.status, 503);
    })
    .await;
}

/// The manual, as far as it has something for Prometheus.
struct Manual(String);

impl Manual {
    fn read() -> Self {
        let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATING.md"));
        Self(text.unwrap())
    }

    fn dashboard(&self) -> &str {
        let (_, rest) = self.0.split_once("\n## A dashboard\n").unwrap();
        rest.split_once("\n## ").unwrap().0
    }

    /// Which gateways may not know of a revocation at that time.
    fn who_may_not_know(&self, revoked_at: u64) -> Vec<String> {
        let blocks = self.0.split("```promql\n").skip(1);
        let queries = blocks.map(|block| block.split("```").next().unwrap());
        queries
            .map(|query| {
                assert!(query.contains(MOMENT), "{query}");
                query.replace(MOMENT, &revoked_at.to_string())
            })
            .collect()
    }
}

/// Whatever a text has as code that names a metric, or what is recorded of one.
fn queries(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    let code = prose.flat_map(|part| part.split('`').skip(1).step_by(2));
    let queries: Vec<_> = code
        .filter(|it| it.contains("revocation_") || it.contains("revocation:"))
        .collect();
    assert!(queries.len() > 10, "{queries:?}");
    queries
}

/// The moment in the manual's example.
const MOMENT: &str = "1795749120";

#[path = "../support/process.rs"]
#[expect(dead_code, reason = "not all of them are wanted here")]
mod process;
#[path = "../support/server/mod.rs"]
#[expect(dead_code, unused_imports, reason = "no broker is wanted here")]
mod server;
#[path = "../support/web.rs"]
#[expect(dead_code, reason = "not all of them are wanted here")]
mod web;
