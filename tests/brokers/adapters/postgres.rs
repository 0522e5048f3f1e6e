//! The outbox of PostgreSQL.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use tower_revocation::outbox::PostgresOutbox;
use tower_revocation::source::postgres::{PostgresSource, sqlx};

use crate::broker::Broker;
use crate::server::{PostgresServer, installed, processes, processes_are_gone};

/// The table on a server of its own.
pub(crate) struct PostgresBroker {
    pub(crate) server: PostgresServer,
    data: PathBuf,
    connection: Mutex<Option<PgConnection>>,
}

impl Broker for PostgresBroker {
    type Source = PostgresSource;

    const NAME: &str = "postgres";

    async fn start() -> Self {
        Self::of(PostgresServer::start().await).await
    }

    fn port(&self) -> u16 {
        self.server.port()
    }

    async fn source(&self, port: u16, _replica: &str) -> PostgresSource {
        source(port)
    }

    async fn publish(&self, messages: Vec<Vec<u8>>) {
        let texts: Vec<_> = messages
            .into_iter()
            .map(|text| String::from_utf8(text).unwrap())
            .collect();
        let deadline = Instant::now() + Duration::from_secs(30);
        for chunk in texts.chunks(500) {
            loop {
                let added = timeout(Duration::from_secs(5), self.add(chunk)).await;
                match added {
                    Ok(Ok(())) => break,
                    Ok(Err(error)) => assert!(Instant::now() < deadline, "{error}"),
                    Err(late) => assert!(Instant::now() < deadline, "{late}"),
                }
                sleep(Duration::from_millis(20)).await;
            }
        }
    }

    async fn dead_letters(&self) -> Vec<(Vec<u8>, String)> {
        let mut connection = self.connect().await;
        let letters = sqlx::query_as("select payload, about from revocation_dead_letters order by key");
        letters.fetch_all(&mut connection).await.unwrap()
    }

    async fn kill(&mut self) {
        self.server.kill().await;
        processes_are_gone(&self.data);
    }

    async fn restart(&mut self) {
        self.server.restart().await;
    }

    fn freeze(&mut self) {
        self.signal("-STOP");
    }

    fn thaw(&mut self) {
        self.signal("-CONT");
    }

    async fn wipe(&mut self) {
        self.kill().await;
        self.server.wipe().await;
        self.ensure().await;
    }

    async fn trim(&mut self, rest: usize) {
        let mut connection = self.connect().await;
        let trim = sqlx::query(TRIM_BY_HAND).bind(i64::try_from(rest).unwrap());
        assert_eq!(trim.execute(&mut connection).await.unwrap().rows_affected(), 1);
    }

    async fn read_bare(&self, count: usize) {
        let mut connection = self.connect().await;
        let mut last = 0;
        let mut read = 0;
        while read < count {
            let page: Vec<(i64, String)> =
                sqlx::query_as("select n, event from revocation_outbox where n > $1 order by xid, n limit 1000")
                    .bind(last)
                    .fetch_all(&mut connection)
                    .await
                    .unwrap();
            for (n, payload) in page {
                std::hint::black_box(payload);
                read += 1;
                last = n;
            }
        }
    }
}

impl PostgresBroker {
    /// With the tables made.
    pub(crate) async fn of(server: PostgresServer) -> Self {
        let mut connection = connect(server.port(), "postgres").await;
        let data: String = sqlx::query_scalar("show data_directory")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        let broker = Self {
            server,
            data: data.into(),
            connection: Mutex::default(),
        };
        broker.ensure().await;
        broker
    }

    pub(crate) async fn ensure(&self) {
        let mut connection = self.connect().await;
        PostgresOutbox::new(ISSUER).ensure(&mut connection).await.unwrap();
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        connect(self.port(), "postgres").await
    }

    /// Does something that the test wants of the server.
    pub(crate) async fn run(&self, statements: &'static str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
    }

    async fn add(&self, messages: &[String]) -> sqlx::Result<()> {
        let mut place = self.connection.lock().await;
        let mut connection = match place.take() {
            Some(connection) => connection,
            None => PgConnection::connect(&self.server.url()).await?,
        };
        sqlx::query("insert into revocation_outbox (event) select unnest($1::text[])")
            .bind(messages)
            .execute(&mut connection)
            .await?;
        *place = Some(connection);
        Ok(())
    }

    /// To the server and all that works for it.
    fn signal(&self, signal: &str) {
        let ids = processes(&self.data).into_iter().map(|id| id.to_string());
        let mut kill = Command::new(installed("kill", "apt-get install procps"));
        assert!(kill.arg(signal).args(ids).status().unwrap().success());
    }
}

pub(crate) fn source(port: u16) -> PostgresSource {
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    PostgresSource::new(url.parse().unwrap()).with_dead_letters()
}

pub(crate) async fn connect(port: u16, role: &str) -> PgConnection {
    let url = format!("postgres://{role}@127.0.0.1:{port}/postgres");
    PgConnection::connect(&url).await.unwrap()
}

pub(crate) const ISSUER: &str = "https://auth.example.com";

/// What somebody does who removes rows by other means than the functions.
const TRIM_BY_HAND: &str = "\
with kept as (select xid, n from revocation_outbox order by xid desc, n desc limit $1), \
oldest as (select xid, n from kept order by xid, n limit 1), \
gone as (delete from revocation_outbox o using oldest where (o.xid, o.n) < (oldest.xid, oldest.n) returning o.xid, o.n), \
newest as (select xid, n from gone order by xid desc, n desc limit 1) \
update revocation_log set trimmed_xid = newest.xid, trimmed_n = newest.n, trimmed_at = clock_timestamp() from newest";
