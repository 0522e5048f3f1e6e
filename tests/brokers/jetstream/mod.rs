//! What is special about NATS JetStream, on real servers: clusters, losses, links, reasons.

mod cluster;
mod domain;
mod lost;
mod newer;
mod reasons;
mod server;
mod slow;
mod tls;
