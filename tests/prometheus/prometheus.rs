//! A Prometheus of the test's own.

use std::fs;
use std::path::Path;
use std::process::Command;

use http::Method;
use serde_json::Value;
use tempfile::TempDir;

use crate::process::eventually;
use crate::server::{Child, free_port, installed};
use crate::web::call;

/// A running Prometheus; killed when dropped, and its data removed.
pub(crate) struct Prometheus {
    url: String,
    // Dropped in this order: nothing writes to a directory that is being removed.
    _child: Child,
    _directory: TempDir,
}

impl Prometheus {
    /// Starts one that scrapes these targets every second, and evaluates the rules as often; alerts fire at once, so that nobody waits
    /// for minutes.
    pub(crate) async fn start(rules: &Path, targets: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let text = fs::read_to_string(rules).unwrap();
        let at_once = text.lines().map(|line| match line.trim_start().starts_with("for: ") {
            true => "        for: 0s",
            false => line,
        });
        let at_once: Vec<&str> = at_once.collect();
        fs::write(directory.path().join("rules.yml"), at_once.join("\n")).unwrap();
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: [rules.yml]\n\
             scrape_configs:\n  - job_name: gateway\n    static_configs: [{{targets: {targets:?}}}]\n"
        );
        let config_file = directory.path().join("prometheus.yml");
        fs::write(&config_file, config).unwrap();
        let port = free_port();
        let mut command = Command::new(installed("prometheus", REMEDY));
        command.arg(format!("--config.file={}", config_file.display()));
        command.arg(format!(
            "--storage.tsdb.path={}",
            directory.path().join("data").display()
        ));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.current_dir(directory.path());
        let prometheus = Self {
            url: format!("http://127.0.0.1:{port}"),
            _child: Child::start(&command, &directory.path().join("output")),
            _directory: directory,
        };
        let is_there = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok();
        eventually(is_there).await;
        let ready = format!("{}/-/ready", prometheus.url);
        eventually(async || (call(Method::GET, &ready, &[], "").await.status == 200).then_some(())).await;
        prometheus
    }

    /// What a query finds now.
    pub(crate) async fn query(&self, query: &str) -> Vec<Value> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let reply = call(
            Method::GET,
            &format!("{}/api/v1/query?query={encoded}", self.url),
            &[],
            "",
        )
        .await;
        let body = reply.json();
        assert_eq!(body["status"], "success", "{query}: {body}");
        body["data"]["result"].as_array().unwrap().clone()
    }

    /// Waits until a query finds something.
    pub(crate) async fn until(&self, query: &str) {
        let waiting = eventually(async || (!self.query(query).await.is_empty()).then_some(()));
        // Whoever reads of a failure wants to know which.
        let deadline = tokio::time::timeout(crate::process::PATIENCE - std::time::Duration::from_secs(1), waiting);
        assert!(deadline.await.is_ok(), "nothing found: {query}");
    }

    /// The rules that cannot be evaluated; nothing before all of them were.
    pub(crate) async fn rules_that_are_not_well(&self) -> Option<Vec<String>> {
        let reply = call(Method::GET, &format!("{}/api/v1/rules", self.url), &[], "")
            .await
            .json();
        let groups = reply["data"]["groups"].as_array().unwrap();
        let rules: Vec<&Value> = groups
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap())
            .collect();
        assert!(rules.len() > 15, "{reply}");
        let is_evaluated = rules.iter().all(|rule| rule["health"] != "unknown");
        let unwell = rules.iter().filter(|rule| rule["health"] != "ok");
        is_evaluated.then(|| unwell.map(|rule| rule.to_string()).collect())
    }
}

pub(crate) const REMEDY: &str = "apt-get install prometheus";
