//! What can go wrong.

use std::time::Duration;

use serde_json::Value;

use crate::origin::Manner;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// Registry, broker and gateway are stopped where they are.
    AllFrozen,
    BrokerFrozen,
    BrokerKilled,
    /// Killed, and started with nothing.
    BrokerWiped,
    /// The gateway's wall clock is wrong by so many seconds.
    ClockWrong(i64),
    /// Messages that are none.
    Garbage,
    GatewayFrozen,
    GatewayKilled,
    /// The gateway is killed, and finds its journal damaged.
    JournalLost,
    /// What the broker says arrives as garbage.
    LinkGarbled,
    /// Nothing gets through between gateway and broker.
    LinkCut,
    /// What answers in the registry's place is not itself.
    Origin(Manner),
    /// The gateway is killed, finds the kept list damaged, and is given one from a while ago.
    ListLost,
    /// The registry's wall clock is an hour ahead.
    RegistryAhead,
    RegistryFrozen,
}

/// What a fault takes hold of. Two that want the same are not inflicted at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Broker,
    Clock,
    Gateway,
    Link,
    Registry,
}

impl Fault {
    pub(crate) const ALL: [Self; 26] = [
        Self::AllFrozen,
        Self::BrokerFrozen,
        Self::BrokerKilled,
        Self::BrokerWiped,
        Self::ClockWrong(120),
        Self::ClockWrong(-120),
        Self::ClockWrong(3_600),
        Self::ClockWrong(-86_400),
        Self::Garbage,
        Self::GatewayFrozen,
        Self::GatewayKilled,
        Self::JournalLost,
        Self::LinkCut,
        Self::LinkGarbled,
        Self::ListLost,
        Self::Origin(Manner::Drips),
        Self::Origin(Manner::Fails),
        Self::Origin(Manner::Forges),
        Self::Origin(Manner::Forgets),
        Self::Origin(Manner::Gone),
        Self::Origin(Manner::Hangs),
        Self::Origin(Manner::Pages),
        Self::Origin(Manner::RollsBack),
        Self::Origin(Manner::Truncates),
        Self::RegistryAhead,
        Self::RegistryFrozen,
    ];

    /// What keeps the gateway from getting any list.
    pub(crate) const WITHOUT_LISTS: [Self; 4] = [
        Self::Origin(Manner::Fails),
        Self::Origin(Manner::Forges),
        Self::Origin(Manner::Gone),
        Self::Origin(Manner::Hangs),
    ];

    pub(crate) fn name(self) -> String {
        match self {
            Self::ClockWrong(seconds) => format!("clock off by {seconds:+} s"),
            Self::Origin(manner) => format!("origin: {manner:?}"),
            fault => format!("{fault:?}"),
        }
    }

    pub(crate) const fn parts(self) -> &'static [Part] {
        match self {
            Self::AllFrozen => &[Part::Broker, Part::Gateway, Part::Registry],
            Self::BrokerFrozen | Self::BrokerKilled | Self::BrokerWiped => &[Part::Broker],
            Self::ClockWrong(_) => &[Part::Clock],
            // To see what becomes of them.
            Self::Garbage => &[Part::Broker, Part::Link],
            Self::GatewayFrozen | Self::GatewayKilled => &[Part::Gateway],
            // What it forgot must be told to it: by a list that is older than what was lost it would be misled.
            Self::JournalLost | Self::ListLost => &[Part::Clock, Part::Gateway, Part::Registry],
            Self::LinkCut | Self::LinkGarbled => &[Part::Link],
            Self::Origin(_) | Self::RegistryFrozen => &[Part::Registry],
            // A gateway whose clock is an hour ahead as well would believe it, and no other list for an hour.
            Self::RegistryAhead => &[Part::Clock, Part::Registry],
        }
    }

    /// How long it lasts at least, and longer until it is seen.
    pub(crate) const fn shortest(self) -> Duration {
        Duration::from_millis(match self {
            Self::AllFrozen | Self::GatewayFrozen => 800,
            Self::GatewayKilled | Self::JournalLost => 0,
            Self::Garbage => 1_000,
            _ => 1_500,
        })
    }

    /// Whether the gateway's status shows it, `lasted` after it began and with what it was `before`.
    pub(crate) fn is_seen(self, status: &Value, before: &Value, lasted: Duration) -> bool {
        let poll = status["poll"]["last_error"].as_str().unwrap_or_default();
        let counted = |pointer: &str| {
            let count = |status: &Value| status.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
            count(status) > count(before)
        };
        let succeeded = status["poll"]["last_success_ms_ago"]
            .as_u64()
            .map(Duration::from_millis);
        let has_no_list = lasted > NO_LIST && succeeded.is_none_or(|ago| ago > NO_LIST);
        match self {
            Self::BrokerFrozen | Self::BrokerKilled | Self::LinkCut | Self::LinkGarbled => {
                status["feed"]["state"] != "live" && lasted > Duration::from_millis(100)
            }
            // It may be back before that is noticed.
            Self::BrokerWiped => status["feed"]["state"] != "live" || counted("/feed/opened"),
            // Within what a clock may be ahead of the issuer's: lists go on being accepted.
            Self::ClockWrong(120) => !has_no_list && succeeded.is_some_and(|ago| ago < lasted),
            Self::ClockWrong(3_600..) => poll.contains("exp has passed"),
            Self::ClockWrong(_) | Self::RegistryAhead => poll.contains("from the future"),
            Self::Garbage => counted("/dispositions/dead-letter"),
            Self::GatewayKilled => status["journal"]["start"] == "restored",
            Self::JournalLost => status["journal"]["start"] == "lost" && status["ready"] == true,
            Self::Origin(Manner::Fails) => poll.contains("status 500"),
            Self::Origin(Manner::Forges) => poll.contains("signature") || poll.contains("unknown key"),
            Self::Origin(Manner::Forgets) => poll.contains("unsigned answer"),
            Self::Origin(Manner::Gone) => poll.contains("request failed"),
            Self::Origin(Manner::Pages) => poll.contains("document refused"),
            Self::ListLost | Self::Origin(Manner::RollsBack) => poll.contains("is a rollback"),
            Self::Origin(Manner::Truncates) => poll.contains("body cannot be read"),
            Self::Origin(Manner::Drips | Manner::Hangs | Manner::Honest) | Self::RegistryFrozen => has_no_list,
            // Whoever stopped them waited until they had.
            Self::AllFrozen | Self::GatewayFrozen => true,
        }
    }
}

/// Lists are fetched every second.
const NO_LIST: Duration = Duration::from_millis(2_500);
