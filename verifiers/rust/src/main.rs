//! A resource server with jsonwebtoken, into a struct or into a map.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{any, post};
use axum::{Json, Router};
use axum_extra::TypedHeader;
use axum_extra::extract::CookieJar;
use axum_extra::headers::Authorization;
use axum_extra::headers::authorization::Bearer;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

struct Keys {
    public: DecodingKey,
    private: EncodingKey,
    into_struct: bool,
}

#[derive(Deserialize)]
struct Claims {
    jti: Option<String>,
    sub: Option<String>,
    sid: Option<String>,
    act: Option<Actor>,
    iat: Option<i64>,
}

#[derive(Deserialize)]
struct Actor {
    sub: Option<String>,
}

#[derive(Serialize)]
struct Seen {
    jti: Value,
    sub: Value,
    sid: Value,
    act: Value,
    iat: Option<i64>,
}

/// A text or number as a text, and all of those in an array. Nothing else is an id.
fn ids(value: &Value) -> Value {
    match value {
        Value::String(text) => text.clone().into(),
        Value::Number(number) => number.to_string().into(),
        Value::Array(all) => all.iter().map(ids).filter(|id| !id.is_null()).collect(),
        _ => Value::Null,
    }
}

async fn make(State(keys): State<Arc<Keys>>, Json(wanted): Json<Value>) -> Result<String, StatusCode> {
    encode(&Header::new(Algorithm::RS256), &wanted["claims"], &keys.private).map_err(|_| StatusCode::BAD_REQUEST)
}

async fn read(
    State(keys): State<Arc<Keys>>,
    header: Option<TypedHeader<Authorization<Bearer>>>,
    cookies: CookieJar,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Json<Seen>, StatusCode> {
    let other = headers.get("x-token").and_then(|value| value.to_str().ok());
    let cookie = cookies.get("session").map(|cookie| cookie.value());
    let token = header.as_ref().map(|header| header.token()).or(other).or(cookie);
    let token = token
        .or(query.get("access_token").map(String::as_str))
        .ok_or(StatusCode::UNAUTHORIZED)?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_aud = false;
    let seen = if keys.into_struct {
        let claims = decode::<Claims>(token, &keys.public, &validation)
            .map_err(|_| StatusCode::UNAUTHORIZED)?
            .claims;
        let Claims {
            jti,
            sub,
            sid,
            act,
            iat,
        } = claims;
        Seen {
            jti: jti.into(),
            sub: sub.into(),
            sid: sid.into(),
            act: act.and_then(|act| act.sub).into(),
            iat,
        }
    } else {
        let claims = decode::<Value>(token, &keys.public, &validation)
            .map_err(|_| StatusCode::UNAUTHORIZED)?
            .claims;
        Seen {
            jti: ids(&claims["jti"]),
            sub: ids(&claims["sub"]),
            sid: ids(&claims["sid"]),
            act: ids(&claims["act"]["sub"]),
            iat: claims["iat"].as_i64(),
        }
    };
    Ok(Json(seen))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [public, private, into] = &arguments[..] else {
        return Err("usage: PUBLIC PRIVATE struct|map".into());
    };
    let keys = Keys {
        public: DecodingKey::from_rsa_pem(&std::fs::read(public)?)?,
        private: EncodingKey::from_rsa_pem(&std::fs::read(private)?)?,
        into_struct: into == "struct",
    };
    let app = Router::new()
        .route("/make", post(make))
        .fallback(any(read))
        .with_state(Arc::new(keys));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
