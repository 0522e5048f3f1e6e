//! A proxy of any kind, in front of gateways.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};

use tempfile::TempDir;

use crate::server::{Child, free_port};

/// A running proxy; killed when dropped, and its directory removed.
pub(crate) struct Proxy {
    /// Where it speaks HTTP/1.1.
    pub(crate) http1: SocketAddr,
    /// Where it speaks HTTP/2, without TLS.
    pub(crate) http2: SocketAddr,
    // Dropped in this order: nothing writes to a directory that is being removed.
    _child: Child,
    _directory: TempDir,
}

/// Two ports, which a configuration speaks of.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) http1: u16,
    pub(crate) http2: u16,
}

impl Proxy {
    /// Starts one, and waits until it listens. `configure` writes its configuration, by the directory and the ports, and says how it is run.
    pub(crate) fn start(configure: impl Fn(&Path, Ports) -> Command) -> Self {
        for _ in 0..ATTEMPTS {
            let directory = tempfile::tempdir().expect("a directory can be made");
            let ports = Ports {
                http1: free_port(),
                http2: free_port(),
            };
            let mut command = configure(directory.path(), ports);
            // Where some keep what they remember.
            command.current_dir(directory.path()).env("HOME", directory.path());
            let output = directory.path().join("output");
            let mut child = Child::start(&command, &output);
            let addresses = [ports.http1, ports.http2].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
            let started = Instant::now();
            let is_up = |address: &SocketAddr| std::net::TcpStream::connect(address).is_ok();
            while child.is_running() && !addresses.iter().all(is_up) {
                let said = || fs::read_to_string(&output).unwrap_or_default();
                assert!(started.elapsed() < PATIENCE, "the proxy does not start:\n{}", said());
                thread::sleep(Duration::from_millis(10));
            }
            if child.is_running() {
                return Self {
                    http1: addresses[0],
                    http2: addresses[1],
                    _child: child,
                    _directory: directory,
                };
            }
            // A free port may be taken before the proxy binds it: try another.
            eprintln!("{}", fs::read_to_string(&output).unwrap_or_default());
        }
        panic!("the proxy ended before it was ready: what it said is above")
    }
}

/// Writes a file into a proxy's directory.
pub(crate) fn write(directory: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).expect("a file can be written to a new directory");
    path
}

const ATTEMPTS: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(20);
