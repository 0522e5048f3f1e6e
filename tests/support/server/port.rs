//! Free ports.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A port that nobody listens on, and that this process was not given before.
///
/// It is not from the range that the kernel picks from when asked for port 0 (from 32768 up on Linux). The kernel
/// gives those to outgoing connections as well: while a broker is down, one could take its port. A client that
/// connects again and again to a dead port of that range even gets connected to itself in the end.
pub(crate) fn free_port() -> u16 {
    static NEXT: LazyLock<AtomicUsize> = LazyLock::new(|| AtomicUsize::new(fastrand::usize(..PORTS)));
    for _ in 0..PORTS {
        let next = NEXT.fetch_add(1, Ordering::Relaxed) % PORTS;
        let port = FIRST + u16::try_from(next).expect("it is less than PORTS");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free from {FIRST} on");
}

/// Above the ports of well-known services.
const FIRST: u16 = 12_000;
const PORTS: usize = 20_000;
