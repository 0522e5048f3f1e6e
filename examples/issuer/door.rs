//! The HTTP door.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_revocation::format::revocation::cloud_event;
use tower_revocation::issuer::{Issuer, IssuerError};
use tower_revocation::{Statement, Subject, Timestamp};

use crate::token::Token;

/// What is asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    kind: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    name: String,
    /// When gateways may forget it, in milliseconds since the epoch.
    until_ms: Option<u64>,
}

/// The routes, for whoever has the token.
pub(crate) fn router(issuer: Issuer, token: Token) -> Router {
    let token = Arc::new(token);
    Router::new()
        .route("/{what}", post(say))
        .route("/list", get(list))
        .route("/status", get(status))
        .with_state(issuer)
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            let token = Arc::clone(&token);
            async move {
                match token.is_in(request.headers()) {
                    true => next.run(request).await,
                    false => StatusCode::UNAUTHORIZED.into_response(),
                }
            }
        }))
}

async fn say(State(issuer): State<Issuer>, Path(what): Path<String>, Json(asked): Json<Asked>) -> Response {
    let Some(subject) = asked.subject() else {
        return refused(StatusCode::BAD_REQUEST, "there is no such kind");
    };
    let statement = match &*what {
        "revoke" => Statement::block(subject),
        "cut-off" => Statement::cut_off(subject),
        "reinstate" => Statement::reinstate(subject),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let statement = match asked.until_ms {
        Some(until) => statement.forget_at(Timestamp::from_unix_millis(until)),
        None => statement,
    };
    match issuer.revoke(statement).await {
        // It is on disk. When it is published, the status says.
        Ok(id) => (StatusCode::ACCEPTED, Json(json!({ "id": id }))).into_response(),
        Err(error @ IssuerError::Unsendable(_)) => refused(StatusCode::BAD_REQUEST, &error.to_string()),
        Err(error) => failed(&error),
    }
}

/// What is in force, each statement as the event that says it, and up to where in the logs that is all.
async fn list(State(issuer): State<Issuer>) -> Response {
    let (in_force, status) = match (issuer.in_force().await, issuer.status()) {
        (Ok(in_force), Ok(status)) => (in_force, status),
        (Err(error), _) | (_, Err(error)) => return failed(&error),
    };
    let statements = in_force.statements.iter().enumerate().map(|(i, statement)| -> Value {
        let event = cloud_event(&status.source, &i.to_string(), statement);
        serde_json::from_slice(&event).unwrap_or_default()
    });
    let covers = in_force.covers.iter().map(|position| {
        json!({
            "log": position.log.to_string(),
            "n": position.n.to_string(),
            "digest": position.digest.to_string(),
        })
    });
    let statements: Vec<_> = statements.collect();
    Json(json!({ "statements": statements, "covers": covers.collect::<Vec<_>>() })).into_response()
}

async fn status(State(issuer): State<Issuer>) -> Response {
    match issuer.status() {
        Ok(status) => Json(status).into_response(),
        Err(error) => failed(&error),
    }
}

impl Asked {
    fn subject(&self) -> Option<Subject> {
        Some(match &*self.kind {
            "client" => Subject::client(&self.id),
            "everything" => Subject::everything(),
            "named" => Subject::named(&self.name, &self.id),
            "session" => Subject::session(&self.id),
            "signing-key" => Subject::signing_key(&self.id),
            "subject" => Subject::subject(&self.id),
            "tenant" => Subject::tenant(&self.id),
            "token" => Subject::token(&self.id),
            _ => return None,
        })
    }
}

fn refused(status: StatusCode, words: &str) -> Response {
    (status, Json(json!({ "error": words }))).into_response()
}

fn failed(error: &IssuerError) -> Response {
    tracing::error!(error = %crate::with_causes(error), "the store failed");
    refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
}
