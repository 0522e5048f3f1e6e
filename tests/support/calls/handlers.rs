//! What is called over plain HTTP.

use axum::body::Body;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;

use super::call::Call;
use super::pieces::Pieces;

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/work", post(work))
        .route("/download", get(download))
        .route("/download/sized", get(sized_download))
        .route("/events", get(events))
}

/// Reads what is uploaded, works, and says that it is done.
async fn work(Extension(call): Extension<Call>, upload: Body) -> Response {
    call.begin();
    let Ok(upload) = upload.collect().await else {
        return status(StatusCode::BAD_REQUEST);
    };
    let done = format!("{} done with {} bytes", call.id, upload.to_bytes().len());
    call.run(done.len()).await;
    Response::new(Body::new(Pieces::new(vec![data(done)], call).with_length()))
}

/// Gives a long response that does not say how long it is.
async fn download(Extension(call): Extension<Call>) -> Response {
    Response::new(Body::new(long(call).await))
}

/// Gives a long response that says how long it is.
async fn sized_download(Extension(call): Extension<Call>) -> Response {
    Response::new(Body::new(long(call).await.with_length()))
}

async fn long(call: Call) -> Pieces {
    call.begin();
    let plan = call.plan;
    call.run(plan.pieces * plan.piece_len).await;
    let frames = (0..plan.pieces).map(|_| data(Bytes::from_static(&ZEROS).slice(..plan.piece_len)));
    Pieces::new(frames.collect(), call)
}

/// Gives server-sent events; the last one says that it is the last.
async fn events(Extension(call): Extension<Call>) -> Response {
    call.begin();
    let mut events: Vec<_> = (1..call.plan.pieces).map(|nth| format!("data: {nth}\n\n")).collect();
    events.push("event: end\ndata: whole\n\n".to_owned());
    call.run(events.iter().map(String::len).sum()).await;
    let mut response = Response::new(Body::new(Pieces::new(events.into_iter().map(data).collect(), call)));
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn data(data: impl Into<Bytes>) -> Frame<Bytes> {
    Frame::data(data.into())
}

fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

static ZEROS: [u8; 16 << 10] = [b'0'; 16 << 10];
