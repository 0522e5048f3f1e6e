//! A registry that the tests control: it serves the upstream system's own documents, or nothing at all.

use std::path::PathBuf;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;

/// Serves a key set and a list of `tests/vectors/clawdentity`; its URL. Ends with the test.
pub(crate) async fn serving(keys: &str, list: &str) -> String {
    let (keys, list) = (vector(keys), vector(list));
    let app = Router::new()
        .route("/.well-known/claw-keys.json", get(async || keys))
        .route("/v1/crl", get(async || list));
    serve(app).await
}

/// Serves anything.
pub(crate) async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, app).into_future());
    url
}

/// Accepts connections, and never says a word.
pub(crate) async fn hanging() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok(connection) = listener.accept().await {
            held.push(connection);
        }
    });
    url
}

/// A URL at which nobody listens.
pub(crate) async fn closed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A file made by the upstream system.
pub(crate) fn vector(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors/clawdentity")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The issuer of those files.
pub(crate) const ISSUER: &str = "https://registry.example.com";
