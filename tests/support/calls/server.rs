//! The server.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use http::header::AUTHORIZATION;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tower::{Service, ServiceExt, service_fn};
use tower_revocation::{DomainConfig, ListPolicy, RevocationLayer, Running, identify};

use super::call::{Call, Calls, arrive};
use super::{admin, grpc, handlers};

/// A running server on a free port; it takes no more connections once dropped.
pub(crate) struct CallServer {
    pub(crate) address: SocketAddr,
    #[allow(dead_code, reason = "other programs ask over HTTP")]
    pub(crate) calls: Arc<Calls>,
    listening: AbortHandle,
}

impl CallServer {
    pub(crate) async fn start(seed: u64) -> io::Result<Self> {
        let config = DomainConfig::new().with_lists(ListPolicy::NotUsed);
        let (layer, sink) = RevocationLayer::pair_with(config, identify::jwt(AUTHORIZATION, "Bearer"));
        let calls = Arc::new(Calls::new(seed, sink));
        let app = |running| {
            let routes = Router::new().merge(handlers::routes()).merge(grpc::routes());
            routes.layer(layer.clone().with_running(running))
        };
        let router = Router::new()
            .fallback_service(either(app(Running::Finish), app(Running::Drop)))
            .layer(from_fn_with_state(Arc::clone(&calls), arrive))
            .merge(admin::routes(Arc::clone(&calls)))
            .layer(from_fn(admin::cors));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let listening = tokio::spawn(listen(listener, router)).abort_handle();
        Ok(Self {
            address,
            calls,
            listening,
        })
    }
}

impl Drop for CallServer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Hands a call to the application that lets handlers finish or to the one that drops them, as its plan has it.
fn either(
    finish: Router,
    drop: Router,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync {
    service_fn(move |request: Request| {
        let call: Option<&Call> = request.extensions().get();
        let is_dropped = call.is_some_and(|call| call.plan.running == Running::Drop);
        let app = if is_dropped { drop.clone() } else { finish.clone() };
        app.oneshot(request)
    })
}

async fn listen(listener: TcpListener, router: Router) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many files are open: some will be closed.
            tokio::task::yield_now().await;
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            // Clients go away in whatever way.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
