//! The program that drives browsers.

use std::fs;
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::process::PATIENCE;
use crate::server::{Child, free_port, installed};

/// A running `chromedriver`, with a directory for the profiles of its browsers. They all end with it.
pub(crate) struct Driver {
    child: Child,
    pub(crate) url: String,
    pub(crate) directory: TempDir,
}

impl Driver {
    pub(crate) async fn start() -> Self {
        // It would look for the browser by itself, and say less.
        installed("chromium", "apt-get install chromium");
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new(installed("chromedriver", "apt-get install chromium-driver"));
        command.arg(format!("--port={port}"));
        // A browser writes to its home as well.
        command.env("HOME", directory.path());
        let mut child = Child::start(&command, &directory.path().join("driver.log"));
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(
                child.is_running() && started.elapsed() < PATIENCE,
                "chromedriver does not start"
            );
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
            directory,
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Killed, it leaves its browsers behind.
        let browsers = children(self.child.id());
        self.child.kill();
        for browser in browsers {
            let _ = Command::new("kill").args(["-KILL", &browser.to_string()]).status();
        }
    }
}

/// The processes that a process started.
fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("Linux has it").filter_map(Result::ok);
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| parent_of(*id) == Some(parent)).collect()
}

fn parent_of(id: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name before it is in parentheses, and may have some of its own.
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}
