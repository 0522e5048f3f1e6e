//! Where a queue is, as it is named on the command line.

use std::str::FromStr;

use http::Uri;

/// The address of a queue: which broker, and what on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// `inproc:`, in the memory of the process.
    InProcess,
    /// `nats://host:port/STREAM.subject`.
    Nats {
        server: String,
        stream: String,
        subject: String,
    },
    /// `postgres://user@host:port/DATABASE`.
    Postgres { url: String },
    /// `redis://host:port/STREAM`.
    Redis { server: String, stream: String },
    /// `amqp://host:port/stream/NAME`.
    AmqpStream { server: String, stream: String },
    /// `amqp://host:port/exchange/NAME`.
    AmqpExchange { server: String, exchange: String },
    /// `kafka://host:port/TOPIC`.
    Kafka { server: String, topic: String },
}

impl Address {
    /// Whether this program can talk to it.
    pub(crate) const fn is_built_in(&self) -> bool {
        match self {
            Self::InProcess => true,
            Self::Nats { .. } => cfg!(feature = "nats"),
            Self::Postgres { .. } => cfg!(feature = "postgres"),
            Self::Redis { .. } => cfg!(feature = "redis"),
            Self::AmqpStream { .. } | Self::AmqpExchange { .. } => cfg!(feature = "amqp"),
            Self::Kafka { .. } => cfg!(feature = "kafka"),
        }
    }

    /// Says what was left out, if it cannot.
    pub(crate) fn missing(&self) -> String {
        let feature = match self {
            Self::InProcess => "source",
            Self::Nats { .. } => "nats",
            Self::Postgres { .. } => "postgres",
            Self::Redis { .. } => "redis",
            Self::AmqpStream { .. } | Self::AmqpExchange { .. } => "amqp",
            Self::Kafka { .. } => "kafka",
        };
        format!("this program was built without that broker's client: build it with `--features {feature}`")
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "inproc:" {
            return Ok(Self::InProcess);
        }
        let uri = text.parse::<Uri>().map_err(|_| FORMS.to_owned())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(FORMS.to_owned());
        };
        if uri.query().is_some() {
            return Err(format!("a query does not belong in this URL: {FORMS}"));
        }
        let path = uri.path().trim_start_matches('/').to_owned();
        let server = format!("{scheme}://{authority}");
        match (scheme, path.split_once('/')) {
            (_, None) if path.is_empty() => Err(format!("what is to be read there? {FORMS}")),
            ("nats", None) => {
                let (stream, subject) = path.split_once('.').unwrap_or((&path, &path));
                Ok(Self::Nats {
                    server,
                    stream: stream.to_owned(),
                    subject: subject.to_owned(),
                })
            }
            ("postgres", None) => Ok(Self::Postgres { url: text.to_owned() }),
            ("redis", None) => Ok(Self::Redis { server, stream: path }),
            ("kafka", None) => Ok(Self::Kafka {
                server: authority.to_string(),
                topic: path,
            }),
            ("amqp", Some(("stream", name))) if is_name(name) => Ok(Self::AmqpStream {
                server,
                stream: name.to_owned(),
            }),
            ("amqp", Some(("exchange", name))) if is_name(name) => Ok(Self::AmqpExchange {
                server,
                exchange: name.to_owned(),
            }),
            _ => Err(FORMS.to_owned()),
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('/')
}

const FORMS: &str = "expected inproc:, nats://host:port/STREAM.subject, postgres://user@host:port/DATABASE, \
                     redis://host:port/STREAM, amqp://host:port/stream/NAME, amqp://host:port/exchange/NAME or kafka://host:port/TOPIC";
