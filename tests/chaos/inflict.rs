//! Doing it, and undoing it.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::faults::Fault;
use crate::gate::Start;
use crate::origin::Manner;
use crate::round::HEALED;
use crate::watch::{has_kept_all, until};
use crate::world::World;

/// Inflicts one fault for at least so long, and until it is seen and has led to what is wanted; then undoes it. Returns whether it
/// has.
pub(crate) async fn inflict(
    world: &World,
    fault: Fault,
    pause: Duration,
    least: Duration,
    wanted: impl Fn(&Value) -> bool,
) -> bool {
    // In step with others only by chance.
    tokio::time::sleep(pause).await;
    let before = world.said_since(Instant::now() - LATELY).unwrap_or_default();
    world.tally.begins(fault);
    begin(world, fault).await;
    let began = Instant::now();
    let is_seen = loop {
        let lasted = began.elapsed();
        let status = world.said_since(began).filter(|_| world.gate.current().is_some());
        let is_seen = match status {
            Some(status) => fault.is_seen(&status, &before, lasted) && wanted(&status),
            None => fault.is_seen_without_status(),
        };
        if lasted >= least && is_seen || lasted >= LONGEST {
            break is_seen;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    end(world, fault).await;
    world.tally.ends(fault, is_seen);
    is_seen
}

async fn begin(world: &World, fault: Fault) {
    match fault {
        Fault::AllFrozen => {
            world.broker.lock().await.freeze();
            world.registry.freeze();
            freeze_gateway(world);
        }
        Fault::BrokerFrozen => world.broker.lock().await.freeze(),
        Fault::BrokerKilled => world.broker.lock().await.kill().await,
        Fault::BrokerWiped => world.broker.lock().await.wipe().await,
        Fault::ClockWrong(seconds) => world.gate.clock.step(seconds),
        Fault::Garbage => publish_garbage(world).await,
        Fault::GatewayFrozen => freeze_gateway(world),
        Fault::GatewayKilled => {
            world.gate.kill();
            world.start_gateway(Start::Restored).await;
        }
        Fault::JournalLost => {
            world.gate.kill();
            world.gate.damage("journal.redb");
            // What only events said is forgotten, so that the list must have it.
            world.origin.purge();
            world.start_gateway(Start::Lost).await;
        }
        Fault::ListLost => {
            world.gate.kill();
            world.gate.damage("list");
            world.origin.answer(Manner::RollsBack);
            world.start_gateway(Start::Lost).await;
        }
        Fault::LinkCut => world.link.cut(),
        Fault::LinkGarbled => world.link.garble(),
        Fault::Origin(manner) => world.origin.answer(manner),
        Fault::RegistryAhead => world.registry.clock.step(3_600),
        Fault::RegistryFrozen => world.registry.freeze(),
    }
}

async fn end(world: &World, fault: Fault) {
    match fault {
        Fault::AllFrozen => {
            world.broker.lock().await.thaw();
            world.registry.thaw();
            thaw_gateway(world);
        }
        Fault::BrokerFrozen => world.broker.lock().await.thaw(),
        Fault::BrokerKilled => world.broker.lock().await.restart().await,
        Fault::ClockWrong(_) => world.gate.clock.step(0),
        Fault::GatewayFrozen => thaw_gateway(world),
        Fault::LinkCut | Fault::LinkGarbled => world.link.mend(),
        Fault::JournalLost | Fault::ListLost => {
            world.origin.answer(Manner::Honest);
            // What the next process may expect of this one.
            until(world, HEALED, "whole again", |status| {
                status["ready"] == true && has_kept_all(status)
            })
            .await;
        }
        Fault::Origin(_) => world.origin.answer(Manner::Honest),
        Fault::RegistryAhead => world.registry.clock.step(0),
        Fault::RegistryFrozen => world.registry.thaw(),
        Fault::BrokerWiped | Fault::Garbage | Fault::GatewayKilled => {}
    }
}

fn freeze_gateway(world: &World) {
    if let Some(gateway) = world.gate.current() {
        gateway.freeze();
    }
}

fn thaw_gateway(world: &World) {
    if let Some(gateway) = world.gate.current() {
        gateway.thaw();
    }
}

async fn publish_garbage(world: &World) {
    for message in GARBAGE {
        // A broker that takes none of it is none of this fault's.
        let _ = world.publisher.publish(message).await;
    }
}

impl Fault {
    /// Whether it can be seen on a gateway that says nothing, since it is what keeps it from that.
    const fn is_seen_without_status(self) -> bool {
        matches!(self, Self::AllFrozen | Self::GatewayFrozen)
    }
}

/// What a topic may hold beside revocations. None of it revokes anybody, and some of it cannot be read.
const GARBAGE: [&[u8]; 14] = [
    b"",
    b"\0\xff\xfe",
    b"{",
    b"[]",
    b"null",
    br#"{"type":7}"#,
    br#"{"type":"agent.auth.revoked"}"#,
    br#"{"type":"agent.auth.revoked","data":{"agentId":"did:web:example.com"}}"#,
    br#"{"type":"agent.auth.revoked","data":{"agentId":"x","reason":"owner_auth_revoke"}}"#,
    br#"{"type":"order.placed","data":{"agentId":"x"}}"#,
    br#"{"type":"revocation.heartbeat"}"#,
    br#"{"type":"revocation.heartbeat","at_ms":-1}"#,
    br#"{"type":"revocation.heartbeat","at_ms":0}"#,
    br#"{"type":"revocation.heartbeat","at_ms":18446744073709551615}"#,
];

/// How old a status may be that shows how things were before.
const LATELY: Duration = Duration::from_secs(2);

/// What is not seen by then is not to be seen. A silent feed is given up after 4 s.
const LONGEST: Duration = Duration::from_secs(10);
