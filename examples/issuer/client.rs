//! The command line's own requests.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tower_revocation::Timestamp;

use crate::Failure;
use crate::config::{Ask, Door, Say};
use crate::terminal::Terminal;

/// Asks the issuer, and prints what it answers.
pub(crate) async fn ask(ask: Ask) -> Result<(), Failure> {
    let answer = match ask {
        Ask::Revoke(say) => post(&say, "revoke").await,
        Ask::CutOff(say) => post(&say, "cut-off").await,
        Ask::Reinstate(say) => post(&say, "reinstate").await,
        Ask::List(door) => call(&door, Method::GET, "list", Bytes::new()).await,
        Ask::Status(door) => call(&door, Method::GET, "status", Bytes::new()).await,
    };
    Terminal::Stdout.say(answer?);
    Ok(())
}

async fn post(say: &Say, path: &str) -> Result<String, Failure> {
    let until = say
        .lasts
        .map(|lasts| Timestamp::now().saturating_add(lasts).as_unix_millis());
    let asked = json!({
        "kind": say.kind,
        "id": say.id,
        "name": say.name.as_deref().unwrap_or_default(),
        "until_ms": until,
    });
    call(&say.door, Method::POST, path, asked.to_string().into()).await
}

async fn call(door: &Door, method: Method, path: &str, body: Bytes) -> Result<String, Failure> {
    let request = Request::builder()
        .method(method)
        .uri(format!("{}/{path}", door.url.trim_end_matches('/')))
        .header(AUTHORIZATION, format!("Bearer {}", door.token))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(body))?;
    let answer = Client::builder(TokioExecutor::new())
        .build_http()
        .request(request)
        .await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    let words = String::from_utf8_lossy(&body).into_owned();
    match status.is_success() {
        true => Ok(words),
        false => Err(format!("{status} {words}").into()),
    }
}
