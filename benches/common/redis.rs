//! A Redis server, where one is at hand, asked over loopback.

#![allow(unreachable_pub, reason = "a module of several programs")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Ids, revoked};

/// A throwaway server, and one connection to it.
pub struct Redis {
    server: Child,
    connection: BufReader<TcpStream>,
}

impl Redis {
    /// `None` if there is no `redis-server` program.
    pub fn holding(snapshot: usize, overlay: usize) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let server = Command::new("redis-server")
            .args([
                "--bind",
                "127.0.0.1",
                "--port",
                &port.to_string(),
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        let start = Instant::now();
        let connection = loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(connection) => break connection,
                Err(_) if start.elapsed() < Duration::from_secs(10) => std::thread::yield_now(),
                Err(error) => panic!("redis-server doesn't accept connections: {error}"),
            }
        };
        connection.set_nodelay(true).expect("a socket");
        let mut redis = Self {
            server,
            connection: BufReader::new(connection),
        };
        let ids: Vec<_> = revoked(snapshot, overlay).collect();
        for some in ids.chunks(1_000) {
            let sets: String = some.iter().map(|id| format!("SET {id} 1\r\n")).collect();
            redis.send(&sets);
            some.iter().for_each(|_| assert_eq!(redis.line(), "+OK"));
        }
        Some(redis)
    }

    pub fn is_revoked(&mut self, ids: &Ids) -> bool {
        self.send(&format!("EXISTS {} {} {}\r\n", ids.token, ids.subject, ids.session));
        self.line() != ":0"
    }

    fn send(&mut self, commands: &str) {
        self.connection
            .get_mut()
            .write_all(commands.as_bytes())
            .expect("the server is there");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.connection.read_line(&mut line).expect("the server is there");
        line.trim_end().to_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
