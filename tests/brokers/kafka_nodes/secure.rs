//! Encryption, credentials and permissions.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::time::sleep;
use tower_revocation::source::SourceError;
use tower_revocation::source::kafka::{KafkaConfig, KafkaSource, Sasl, SaslCredentials, SaslMechanism};

use super::tool::KafkaTool;
use crate::limit::in_time;
use crate::replica::Replica;
use crate::server::{Kafka, KafkaServer, free_port};

/// An authority that exists for a test.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate: certificate.der().clone(),
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    fn certify(&self, name: &str) -> (KeyPair, rcgen::Certificate) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (key, certificate)
    }

    /// What a client has that believes this authority, and was certified by that one if any.
    fn client(&self, certified_by: Option<&Self>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = builder.with_root_certificates(roots);
        Arc::new(match certified_by {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let (key, certificate) = authority.certify("gateway");
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                builder
                    .with_client_auth_cert(vec![certificate.der().clone()], key)
                    .unwrap()
            }
        })
    }
}

/// A server whose clients have to prove who they are, over TLS.
struct Secure {
    _server: KafkaServer,
    tool: KafkaTool,
    address: String,
    authority: Authority,
    _files: TempDir,
}

impl Secure {
    async fn start() -> Self {
        let (authority, files, port) = (Authority::new(), TempDir::new().unwrap(), free_port());
        let (key, certificate) = authority.certify("localhost");
        let [keystore, truststore] = ["keystore.pem", "truststore.pem"].map(|name| files.path().join(name));
        fs::write(&keystore, format!("{}{}", key.serialize_pem(), certificate.pem())).unwrap();
        fs::write(&truststore, &authority.pem).unwrap();
        let kafka = "org.apache.kafka.common.security";
        let settings = [
            format!(
                "listeners=PLAINTEXT://127.0.0.1:{{port}},SECURE://127.0.0.1:{port},CONTROLLER://127.0.0.1:{{controller}}"
            ),
            format!("advertised.listeners=PLAINTEXT://127.0.0.1:{{port}},SECURE://localhost:{port}"),
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT".to_owned(),
            "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER".to_owned(),
            format!(
                "listener.name.secure.plain.sasl.jaas.config={kafka}.plain.PlainLoginModule required user_gateway=\"secret\";"
            ),
            format!("listener.name.secure.scram-sha-256.sasl.jaas.config={kafka}.scram.ScramLoginModule required;"),
            format!("listener.name.secure.scram-sha-512.sasl.jaas.config={kafka}.scram.ScramLoginModule required;"),
            format!(
                "listener.name.secure.oauthbearer.sasl.jaas.config={kafka}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"kafka\";"
            ),
            "listener.name.secure.oauthbearer.connections.max.reauth.ms=2000".to_owned(),
            "listener.name.secure.ssl.client.auth=required".to_owned(),
            format!("ssl.keystore.type=PEM\nssl.keystore.location={}", keystore.display()),
            format!(
                "ssl.truststore.type=PEM\nssl.truststore.location={}",
                truststore.display()
            ),
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned(),
            "super.users=User:ANONYMOUS".to_owned(),
        ];
        let settings: Vec<_> = settings.iter().map(String::as_str).collect();
        let mut kafka = Kafka::alone(&settings);
        kafka.users = [
            "SCRAM-SHA-256=[name=gateway,password=secret]",
            "SCRAM-SHA-512=[name=gateway,password=secret]",
        ]
        .map(str::to_owned)
        .to_vec();
        let server = KafkaServer::start_on(free_port(), kafka).await;
        let tool = KafkaTool::start(&server.url());
        tool.ask("create secured message.timestamp.type=LogAppendTime");
        for operation in ["read", "describe"] {
            tool.ask(&format!("allow gateway secured {operation}"));
        }
        Self {
            _server: server,
            tool,
            address: format!("localhost:{port}"),
            authority,
            _files: files,
        }
    }

    fn replica(&self, tls: Arc<ClientConfig>, sasl: Sasl) -> Replica {
        let config = KafkaConfig::new([self.address.clone()]).with_tls(tls).with_sasl(sasl);
        Replica::start(KafkaSource::new(config, "secured"), "one")
    }

    fn tls(&self) -> Arc<ClientConfig> {
        self.authority.client(Some(&self.authority))
    }
}

fn password(mechanism: SaslMechanism, password: &str) -> Sasl {
    Sasl::password(mechanism, "gateway", password)
}

/// Waits until a feed says that it is down for this reason.
async fn says(replica: &Replica, reason: &str) {
    replica
        .until(reason, |status| {
            let error = status.feed.last_error.as_ref();
            error.is_some_and(|error| error.contains(reason))
        })
        .await;
}

const PASSWORDS: [SaslMechanism; 3] = [
    SaslMechanism::Plain,
    SaslMechanism::ScramSha256,
    SaslMechanism::ScramSha512,
];

#[tokio::test(flavor = "multi_thread")]
async fn whoever_proves_who_it_is_reads_and_nobody_else_and_the_reason_is_named() {
    in_time(async {
        let secure = Secure::start().await;
        for (at, mechanism) in PASSWORDS.into_iter().enumerate() {
            let replica = secure.replica(secure.tls(), password(mechanism, "secret"));
            secure.tool.ask(&format!("send secured +{at}@1000"));
            replica.refuses_after(&at.to_string()).await;
            assert_eq!(replica.live().await.opened, 1);
            let stranger = secure.replica(secure.tls(), password(mechanism, "guessed"));
            says(&stranger, "the broker refuses the credentials").await;
            assert!(!stranger.sink.status().feed.last_error.unwrap().contains("guessed"));
        }
        let right = || password(SaslMechanism::ScramSha256, "secret");
        let other = Authority::new();
        let deceived = secure.replica(other.client(Some(&secure.authority)), right());
        says(&deceived, "invalid peer certificate").await;
        let uncertified = secure.replica(secure.authority.client(None), right());
        says(&uncertified, "received fatal alert").await;
        let certified_elsewhere = secure.replica(secure.authority.client(Some(&other)), right());
        says(&certified_elsewhere, "received fatal alert").await;
        let nobody = KafkaConfig::new([format!("127.0.0.1:{}", free_port())]);
        let nobody = Replica::start(KafkaSource::new(nobody, "secured"), "one");
        says(&nobody, "Connection refused").await;

        let replica = secure.replica(secure.tls(), right());
        replica.live().await;
        secure.tool.ask("forbid gateway secured read");
        says(&replica, "TOPIC_AUTHORIZATION_FAILED").await;
        secure.tool.ask("allow gateway secured read");
        secure.tool.ask("send secured +allowed-again@1000");
        replica.refuses_after("allowed-again").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_and_a_certificate_that_are_replaced_are_asked_for() {
    in_time(async {
        let secure = Secure::start().await;
        let asked = Arc::new(AtomicUsize::new(0));
        let sasl = {
            let asked = Arc::clone(&asked);
            Sasl::asking(SaslMechanism::ScramSha512, move || {
                let password = if asked.fetch_add(1, Ordering::Relaxed) < 2 {
                    "old"
                } else {
                    "secret"
                };
                async move { Ok::<_, SourceError>(SaslCredentials::password("gateway", password)) }
            })
        };
        let (old, new) = (secure.authority.client(Some(&Authority::new())), secure.tls());
        let connections = Arc::new(AtomicUsize::new(0));
        let config = KafkaConfig::new([secure.address.clone()]).with_sasl(sasl).with_tls_by({
            let connections = Arc::clone(&connections);
            move || {
                Arc::clone(if connections.fetch_add(1, Ordering::Relaxed) < 2 {
                    &old
                } else {
                    &new
                })
            }
        });
        let replica = Replica::start(KafkaSource::new(config, "secured"), "one");
        replica.live().await;
        assert!(asked.load(Ordering::Relaxed) > 2 && connections.load(Ordering::Relaxed) > 4);
    })
    .await;
}

/// The broker ends a session after 2 s unless the client proves again who it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_is_renewed_with_a_new_token() {
    in_time(async {
        let secure = Secure::start().await;
        let asked = Arc::new(AtomicUsize::new(0));
        let sasl = {
            let asked = Arc::clone(&asked);
            Sasl::asking(SaslMechanism::OauthBearer, move || {
                asked.fetch_add(1, Ordering::Relaxed);
                async { Ok::<_, SourceError>(SaslCredentials::token(token(60))) }
            })
        };
        let replica = secure.replica(secure.tls(), sasl);
        replica.live().await;
        for i in 0..8 {
            sleep(Duration::from_secs(1)).await;
            secure.tool.ask(&format!("send secured +{i}@1000"));
            replica.refuses_after(&i.to_string()).await;
        }
        let status = replica.live().await;
        assert_eq!(status.opened, 1, "{:?}", status.last_error);
        assert!(asked.load(Ordering::Relaxed) >= 8, "{asked:?}");
        let late = secure.replica(
            secure.tls(),
            Sasl::asking(SaslMechanism::OauthBearer, || async {
                Ok::<_, SourceError>(SaslCredentials::token(token(-60)))
            }),
        );
        says(&late, "the broker refuses the credentials").await;
        let broken = Sasl::asking(SaslMechanism::OauthBearer, || async { Err("the authority is away") });
        says(&secure.replica(secure.tls(), broken), "the authority is away").await;
    })
    .await;
}

/// A token that nobody signed, good for so many seconds.
fn token(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let [issued, ends] = [now - 120, now + seconds];
    let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let claims = format!(r#"{{"sub":"gateway","iat":{issued},"exp":{ends}}}"#);
    format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(&claims))
}
