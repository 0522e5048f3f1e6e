//! Cookie sessions of axum-login 0.18 on tower-sessions 0.14, behind the layer: see `docs/SESSIONS.md`.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Form, Router};
use axum_login::{AuthManagerLayerBuilder, AuthUser, AuthnBackend, UserId};
use serde::Deserialize;
use tower_revocation::identify::{self, LoginMark};
use tower_revocation::{
    Credential, DomainConfig, Event, EventSink, Key, ListPolicy, Reinstatement, Revocation, RevocationLayer, Timestamp,
    Verdict,
};
use tower_sessions::{MemoryStore, SessionManagerLayer};

/// Someone who logs in.
#[derive(Clone, Debug)]
pub struct User {
    name: String,
}

impl AuthUser for User {
    type Id = String;

    fn id(&self) -> String {
        self.name.clone()
    }

    /// A constant: cut-offs say what ends when a password changes. With users in a cache, a hash that counts would end new sessions at
    /// replicas that hold the old user.
    fn session_auth_hash(&self) -> &[u8] {
        b"-"
    }
}

/// What the login form says.
#[derive(Clone, Debug, Deserialize)]
pub struct Login {
    name: String,
    password: String,
}

/// In place of a database.
#[derive(Clone, Debug, Default)]
pub struct Users(Arc<Mutex<HashMap<String, String>>>);

impl Users {
    /// Sets a user's password.
    pub fn set(&self, name: &str, password: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), password.to_owned());
    }
}

impl AuthnBackend for Users {
    type User = User;
    type Credentials = Login;
    type Error = Infallible;

    async fn authenticate(&self, login: Login) -> Result<Option<User>, Infallible> {
        let users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_right = users.get(&login.name) == Some(&login.password);
        Ok(is_right.then_some(User { name: login.name }))
    }

    async fn get_user(&self, name: &UserId<Self>) -> Result<Option<User>, Infallible> {
        Ok(Some(User { name: name.clone() }))
    }
}

type AuthSession = axum_login::AuthSession<Users>;

fn failed(error: impl std::fmt::Display) -> StatusCode {
    eprintln!("{error}");
    StatusCode::INTERNAL_SERVER_ERROR
}

/// Here the event is applied. An app of several replicas gives a `Statement` to its `Issuer`, which applies and publishes it.
fn apply(sink: &EventSink, event: impl Into<Event>) -> Result<StatusCode, StatusCode> {
    sink.apply(event).map_err(failed)?.wait().map_err(failed)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn mark_of(auth: &AuthSession) -> Option<LoginMark> {
    auth.session.get(MARK).await.ok().flatten()
}

async fn log_in(mut auth: AuthSession, Form(login): Form<Login>) -> Result<StatusCode, StatusCode> {
    let user = auth
        .authenticate(login)
        .await
        .map_err(failed)?
        .ok_or(StatusCode::UNAUTHORIZED)?;
    auth.login(&user).await.map_err(failed)?;
    auth.session.insert(MARK, LoginMark::begin()).await.map_err(failed)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn log_out(State(sink): State<EventSink>, mut auth: AuthSession) -> Result<StatusCode, StatusCode> {
    // Before the logout, which forgets it.
    let mark = mark_of(&auth).await;
    auth.logout().await.map_err(failed)?;
    match mark {
        Some(mark) => apply(&sink, Revocation::block(Key::session(mark.sid()))),
        None => Ok(StatusCode::NO_CONTENT),
    }
}

async fn log_out_everywhere(State(sink): State<EventSink>, mut auth: AuthSession) -> Result<StatusCode, StatusCode> {
    let user = auth.user.clone().ok_or(StatusCode::UNAUTHORIZED)?;
    auth.logout().await.map_err(failed)?;
    apply(&sink, Revocation::cut_off(Key::subject(&user.name)).at(now()))
}

#[derive(Deserialize)]
struct NewPassword {
    password: String,
}

async fn change_password(
    State(sink): State<EventSink>,
    auth: AuthSession,
    Form(new): Form<NewPassword>,
) -> Result<StatusCode, StatusCode> {
    let user = auth.user.clone().ok_or(StatusCode::UNAUTHORIZED)?;
    auth.backend.set(&user.name, &new.password);
    auth.session.cycle_id().await.map_err(failed)?;
    let cut_off = Revocation::cut_off(Key::subject(&user.name)).at(now());
    match mark_of(&auth).await {
        Some(mark) => apply(&sink, cut_off.sparing(Key::session(mark.sid()))),
        None => apply(&sink, cut_off),
    }
}

async fn disable(State(sink): State<EventSink>, name: String) -> Result<StatusCode, StatusCode> {
    apply(&sink, Revocation::block(Key::subject(&name)).at(now()))
}

async fn enable(State(sink): State<EventSink>, name: String) -> Result<StatusCode, StatusCode> {
    apply(&sink, Reinstatement::of(Key::subject(&name), now()))
}

/// A cut-off of the issuer's own clock.
fn now() -> Timestamp {
    Timestamp::now().to_the_millisecond()
}

async fn me(auth: AuthSession) -> Result<String, StatusCode> {
    auth.user.map(|user| user.name).ok_or(StatusCode::UNAUTHORIZED)
}

/// Says what a request presents, and flushes a session that is revoked: its visitor is anonymous from then on, and its cookie goes.
async fn present(State(sink): State<EventSink>, mut auth: AuthSession, mut request: Request, next: Next) -> Response {
    if let Some(user) = &auth.user {
        let mark = mark_of(&auth).await;
        let presented = LoginMark::credential(mark.as_ref(), Key::subject(&user.name));
        let is_revoked = matches!(sink.decide(&presented), Verdict::Revoked(_));
        if is_revoked && auth.logout().await.is_ok() {
            request.extensions_mut().insert(auth);
        } else {
            request.extensions_mut().insert(presented);
        }
    }
    next.run(request).await
}

/// Returns the app. Outermost first: the session manager and login, `present`, the layer, the routes. What revokes is beside the layer.
pub fn app(users: Users, sessions: MemoryStore) -> Router {
    let domain = DomainConfig::new().with_lists(ListPolicy::NotUsed);
    let (revocation, sink) = RevocationLayer::pair_with(domain, identify::extension::<Credential>());
    let auth = AuthManagerLayerBuilder::new(users, SessionManagerLayer::new(sessions).with_secure(false)).build();
    Router::new()
        .route("/me", get(me))
        .layer(revocation)
        .layer(from_fn_with_state(sink.clone(), present))
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .route("/everywhere", post(log_out_everywhere))
        .route("/password", post(change_password))
        .route("/disable", post(disable))
        .route("/enable", post(enable))
        .layer(auth)
        .with_state(sink)
}

const MARK: &str = "login";

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
    use tower::ServiceExt;

    use super::*;

    struct Browser<'a> {
        app: &'a Router,
        cookie: String,
    }

    impl<'a> Browser<'a> {
        async fn logged_in(app: &'a Router, password: &str) -> Self {
            let mut browser = Self {
                app,
                cookie: String::new(),
            };
            let form = format!("name=alice&password={password}");
            assert_eq!(browser.ask("POST", "/login", &form).await, 204);
            browser
        }

        async fn ask(&mut self, method: &str, path: &str, body: &str) -> u16 {
            let request = Request::builder().method(method).uri(path).header(COOKIE, &self.cookie);
            let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            let request = request.body(Body::from(body.to_owned())).unwrap();
            let response = self.app.clone().oneshot(request).await.unwrap();
            if let Some(set) = response.headers().get(SET_COOKIE) {
                self.cookie = set.to_str().unwrap().split(';').next().unwrap().to_owned();
            }
            response.status().as_u16()
        }

        async fn me(&mut self) -> u16 {
            self.ask("GET", "/me", "").await
        }
    }

    fn shop() -> Router {
        let users = Users::default();
        users.set("alice", "pw");
        app(users, MemoryStore::default())
    }

    #[tokio::test]
    async fn a_logout_ends_one_session_also_for_a_cookie_that_stayed() {
        let app = shop();
        let (mut one, mut other) = (
            Browser::logged_in(&app, "pw").await,
            Browser::logged_in(&app, "pw").await,
        );
        let kept = one.cookie.clone();
        assert_eq!((one.me().await, one.ask("POST", "/logout", "").await), (200, 204));
        one.cookie = kept;
        assert_eq!((one.me().await, other.me().await), (401, 200));
    }

    #[tokio::test]
    async fn everywhere_ends_all_and_the_next_login_is_good_at_once() {
        let app = shop();
        for _ in 0..50 {
            let (mut one, mut other) = (
                Browser::logged_in(&app, "pw").await,
                Browser::logged_in(&app, "pw").await,
            );
            assert_eq!(one.ask("POST", "/everywhere", "").await, 204);
            assert_eq!((one.me().await, other.me().await), (401, 401));
            // A login of the very same millisecond is older than the cut-off, as far as anybody can tell.
            let cut_off = Timestamp::now();
            while Timestamp::now() <= cut_off.saturating_add(std::time::Duration::from_millis(1)) {
                tokio::task::yield_now().await;
            }
            assert_eq!(Browser::logged_in(&app, "pw").await.me().await, 200);
        }
    }

    #[tokio::test]
    async fn a_change_of_password_keeps_this_session() {
        let app = shop();
        let (mut one, mut other) = (
            Browser::logged_in(&app, "pw").await,
            Browser::logged_in(&app, "pw").await,
        );
        for password in ["new", "newer"] {
            assert_eq!(one.ask("POST", "/password", &format!("password={password}")).await, 204);
            assert_eq!((one.me().await, other.me().await), (200, 401));
        }
        assert_eq!(one.ask("POST", "/everywhere", "").await, 204);
        assert_eq!(one.me().await, 401);
    }

    #[tokio::test]
    async fn a_disabled_user_is_out_and_comes_back_with_a_new_login_alone() {
        let app = shop();
        let mut old = Browser::logged_in(&app, "pw").await;
        assert_eq!(old.ask("POST", "/disable", "alice").await, 204);
        let mut new = Browser::logged_in(&app, "pw").await;
        assert_eq!(
            (old.me().await, new.me().await),
            (401, 401),
            "the users' table says who may log in"
        );
        assert_eq!(old.ask("POST", "/enable", "alice").await, 204);
        assert_eq!(old.me().await, 401);
    }
}
