//! What is wrong, in words.

use std::fmt;
use std::time::Duration;

use crate::domain::health::millis;
use crate::domain::requests::presented::is_never_presented;
use crate::domain::sightings::REMEMBERED;
use crate::model::domain_config::DomainConfig;
use crate::model::policy::{FutureIssuedAt, ListPolicy, StalePolicy};
use crate::model::verdict::Freshness;
use crate::status::{Concern, ConcernCode, FeedState, PollStatus, SightingStatus, Status};

/// What is wrong, the gravest first. Pure: everything else that it tells of is in the status.
pub(crate) fn concerns(status: &Status, policy: &DomainConfig, needs_list: bool, is_polled: bool) -> Vec<Concern> {
    let all = [
        list(status, policy, needs_list),
        signing_keys(status),
        feed(status, Meanwhile::of(policy.lists, is_polled)),
        issuer_silent(status),
        canary(status),
        gap(status, policy.lists),
        presented(status),
        without_keys(status),
        without_sessions(status),
        door_lost(status),
        issued_in_future(status, policy),
        journal(status),
        overlay(status),
    ];
    let mut concerns: Vec<Concern> = all.into_iter().flatten().collect();
    concerns.sort_by_key(|concern| concern.code);
    concerns
}

fn list(status: &Status, policy: &DomainConfig, needs_list: bool) -> Option<Concern> {
    let (poll, consequence) = (Failing(&status.poll), consequence(policy.stale));
    if needs_list {
        let until = match policy.lists {
            ListPolicy::Expected => "a signed list is fetched that makes up for it",
            ListPolicy::NotUsed => {
                "the feed has been read again from as far back as revocations are kept, without a gap"
            }
        };
        return concern(
            ConcernCode::JournalLost,
            format!(
                "What was known before the restart is lost. Nobody is admitted until {until}, whatever the policy.{poll}"
            ),
        );
    }
    match (status.freshness, &status.snapshot) {
        (Freshness::FeedUnread, _) => concern(
            ConcernCode::FeedUnread,
            format!(
                "There is no list, and the feed has not been read up to its end since the start. Until it is, {}.",
                match policy.stale {
                    StalePolicy::FailClosed => consequence,
                    StalePolicy::FailOpen => "credentials are admitted although an event may have revoked them",
                }
            ),
        ),
        (Freshness::NoSnapshot, _) => concern(
            ConcernCode::NoList,
            format!("No revocation list was fetched yet. Until one is, {consequence}.{poll}"),
        ),
        (Freshness::Stale, Some(list)) => concern(
            ConcernCode::ListStale,
            format!(
                "The revocation list was last fetched {} ago, and may be {} old. {}{}.{poll}",
                Time(list.age_ms),
                Time(list.max_age_ms),
                consequence[..1].to_uppercase(),
                &consequence[1..],
            ),
        ),
        (_, Some(list)) if status.poll.failures > 0 => concern(
            ConcernCode::ListAging,
            format!(
                "The revocation list in force is {} old, and good for another {}: then {consequence}.{poll}",
                Time(list.age_ms),
                Time(list.max_age_ms.saturating_sub(list.age_ms)),
            ),
        ),
        _ => None,
    }
}

/// The consequence of a stale list.
const fn consequence(stale: StalePolicy) -> &'static str {
    match stale {
        StalePolicy::FailClosed => "credentials that nothing is known against are refused with 503",
        StalePolicy::FailOpen => "credentials are admitted although the list may have revoked them",
    }
}

fn signing_keys(status: &Status) -> Option<Concern> {
    let keys = status.poll.signing_keys.as_ref()?;
    let why = keys.last_error.as_deref().unwrap_or("they are being fetched");
    if keys.count == 0 {
        return concern(
            ConcernCode::NoSigningKeys,
            format!("The issuer's signing keys are not known: no list and no token can be verified. {why}"),
        );
    }
    let error = keys.last_error.as_deref()?;
    let since = keys.fetched_ms_ago.map_or_else(
        || "were left by an earlier process".to_owned(),
        |ago| format!("were last fetched {} ago", Time(ago)),
    );
    concern(
        ConcernCode::SigningKeysAging,
        format!(
            "The issuer's signing keys could not be fetched anew. Those in use {since}: what a withdrawn key signs is still \
             believed, and what a new one signs is not. {error}"
        ),
    )
}

/// How revocations come in while the feed does not bring them.
#[derive(Clone, Copy)]
struct Meanwhile {
    connecting: &'static str,
    down: &'static str,
}

impl Meanwhile {
    const fn of(lists: ListPolicy, is_polled: bool) -> Self {
        let (connecting, down) = match (lists, is_polled) {
            (ListPolicy::NotUsed, _) => (
                "No revocation comes in: there is no list",
                "No revocation comes in until it is back: there is no list",
            ),
            (ListPolicy::Expected, true) => (
                "Revocations come with the list alone",
                "Revocations come with the list alone, which is fetched more often meanwhile",
            ),
            (ListPolicy::Expected, false) => (
                "Revocations come with the list alone, and no poller of this process fetches it",
                "Revocations come with the list alone, and no poller of this process fetches it",
            ),
        };
        Self { connecting, down }
    }
}

fn feed(status: &Status, meanwhile: Meanwhile) -> Option<Concern> {
    let feed = &status.feed;
    let name = feed.source.as_deref().unwrap_or("of events");
    let time = feed
        .state_for_ms
        .map_or_else(String::new, |ms| format!(" for {}", Time(ms)));
    let why = feed
        .last_error
        .as_ref()
        .map_or_else(String::new, |error| format!(" {error}"));
    match feed.state {
        // A feed of which nobody has said anything is not known to be missing.
        FeedState::Unknown | FeedState::Live => None,
        FeedState::Connecting => concern(
            ConcernCode::FeedConnecting,
            format!(
                "The feed {name} has been connecting{time}. {}.{why}",
                meanwhile.connecting
            ),
        ),
        FeedState::CatchingUp => concern(
            ConcernCode::FeedCatchingUp,
            format!("The feed {name} has been catching up{time}: older revocations are still coming in."),
        ),
        FeedState::Down => concern(
            ConcernCode::FeedDown,
            format!("The feed {name} has been down{time}. {}.{why}", meanwhile.down),
        ),
    }
}

fn issuer_silent(status: &Status) -> Option<Concern> {
    let silent = status
        .issuer_logs
        .iter()
        .filter(|log| log.is_silent && !log.is_continued);
    let ago = silent.filter_map(|log| log.last_heartbeat_ms_ago).max()?;
    concern(
        ConcernCode::IssuerSilent,
        format!(
            "The issuer was last heard {} ago, and is late: what it revokes does not come, whether it is down or cannot reach the \
             broker.",
            Time(ago)
        ),
    )
}

fn canary(status: &Status) -> Option<Concern> {
    let canary = status.canary.as_ref().filter(|canary| canary.is_overdue)?;
    let last = canary.last_proof_ms_ago.map_or_else(
        || "No canary has come through yet, or the last one is refused no more".to_owned(),
        |ago| format!("The last canary that is refused here was revoked {} ago", Time(ago)),
    );
    concern(
        ConcernCode::CanaryOverdue,
        format!(
            "{last}, and one is expected every {}, and {} to get here. Revocations may be getting lost on the way, or none is sent.",
            Time(canary.every_ms),
            Time(canary.within_ms),
        ),
    )
}

fn gap(status: &Status, lists: ListPolicy) -> Option<Concern> {
    let gap = status.feed.last_gap.as_ref().filter(|gap| gap.is_open)?;
    concern(
        ConcernCode::FeedGap,
        format!(
            "Revocations may have been missed {} ago: {}. {}.",
            Time(gap.ms_ago),
            gap.reason,
            match lists {
                ListPolicy::Expected => "No list was fetched since that would make up for them",
                ListPolicy::NotUsed =>
                    "There is no list that would make up for them: whom they revoked is admitted until the tokens expire",
            }
        ),
    )
}

fn presented(status: &Status) -> Option<Concern> {
    if !is_never_presented(&status.verdicts, Duration::from_millis(status.started_ms_ago)) {
        return None;
    }
    concern(
        ConcernCode::OnlyAnonymous,
        format!(
            "None of the {} requests of the last {} presented a credential, so that no revocation reaches any. If clients do send \
             one, the layer looks in the wrong place, or sees requests before the authentication layer that it relies on.",
            status.verdicts.anonymous,
            Time(status.started_ms_ago),
        ),
    )
}

fn without_keys(status: &Status) -> Option<Concern> {
    let (count, ago) = seen_lately(status.doubtful.without_keys)?;
    concern(
        ConcernCode::WithoutKeys,
        format!(
            "Credentials without any key were presented, {count} since the start, the last {} ago: only a revocation of everything \
             reaches them. What keys are made of, such as `jti` and `sub`, is not in them, or not where the layer looks.",
            Time(ago)
        ),
    )
}

fn without_sessions(status: &Status) -> Option<Concern> {
    let count = status.without_sessions.filter(|count| *count >= ENOUGH_CREDENTIALS)?;
    concern(
        ConcernCode::WithoutSessions,
        format!(
            "A logout ended a session, and none of the {count} credentials that came since named its session: such logouts reach nobody. \
             Have the issuer put the session into its access tokens, read the claim in which it does, or let logouts end all that was \
             issued to the user."
        ),
    )
}

fn door_lost(status: &Status) -> Option<Concern> {
    let losses = status
        .doors
        .iter()
        .filter_map(|door| Some((door, door.last_loss.as_ref()?)));
    let (door, loss) = losses.min_by_key(|(_, loss)| loss.ms_ago)?;
    let is_late = Duration::from_millis(loss.ms_ago) <= REMEMBERED;
    is_late.then_some(())?;
    concern(
        ConcernCode::DoorLost,
        format!(
            "What the {} told {} ago cannot be relied on: {}. Hardly an issuer tells it again.",
            door.name,
            Time(loss.ms_ago),
            loss.problem
        ),
    )
}

fn issued_in_future(status: &Status, policy: &DomainConfig) -> Option<Concern> {
    let (count, ago) = seen_lately(status.doubtful.issued_in_future)?;
    let consequence = match policy.future_issued_at {
        FutureIssuedAt::Refuse => "They are refused.",
        FutureIssuedAt::Undated => {
            "They cannot show that they are newer than a cut-off, and any on their keys refuses them."
        }
    };
    concern(
        ConcernCode::IssuedInTheFuture,
        format!(
            "Credentials were presented that say they were issued in the future, {count} since the start, the last {} ago. \
             {consequence} Their issuer writes milliseconds in place of seconds, or its clock and this one are more than {} apart.",
            Time(ago),
            Time(millis(policy.leeway)),
        ),
    )
}

/// How often something was seen, and how long ago, if that is still worth telling.
fn seen_lately(sighting: SightingStatus) -> Option<(u64, u64)> {
    let ago = sighting.last_ms_ago.filter(|ago| *ago <= millis(REMEMBERED))?;
    Some((sighting.count, ago))
}

fn journal(status: &Status) -> Option<Concern> {
    let journal = status.journal.as_ref().filter(|journal| !journal.durable)?;
    let why = journal.last_error.as_deref().unwrap_or("the cause is not known");
    concern(
        ConcernCode::JournalNotDurable,
        format!(
            "Events are in force and cannot be written: a restart would forget them. They are delivered again. {why}"
        ),
    )
}

fn overlay(status: &Status) -> Option<Concern> {
    let overlay = &status.overlay;
    // Nine tenths, without an overflow for large numbers.
    let is_nearly_full = overlay.entries >= overlay.capacity - overlay.capacity / 10;
    if !is_nearly_full {
        return None;
    }
    concern(
        ConcernCode::OverlayFull,
        format!(
            "Events hold {} of the {} keys that they may. Nothing is dropped: once it is full, events of new keys are not \
             applied, and delivered again.",
            overlay.entries, overlay.capacity
        ),
    )
}

fn concern(code: ConcernCode, words: String) -> Option<Concern> {
    Some(Concern { code, words })
}

/// Why no newer list is there.
struct Failing<'a>(&'a PollStatus);

impl fmt::Display for Failing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.last_error, self.0.failures) {
            (None, _) => Ok(()),
            (Some(error), 1) => write!(f, " The last poll failed: {error}"),
            (Some(error), failures) => write!(f, " The last {failures} polls failed: {error}"),
        }
    }
}

/// A time in milliseconds, as people say it.
struct Time(u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..1_000 => f.write_str("less than a second"),
            ms @ 1_000..10_000 => write!(f, "{}.{} s", ms / 1000, ms % 1000 / 100),
            ms @ 10_000..120_000 => write!(f, "{} s", ms / 1000),
            ms @ 120_000..7_200_000 => write!(f, "{} min", ms / 60_000),
            ms @ 7_200_000..172_800_000 => write!(f, "{} h", ms / 3_600_000),
            ms => write!(f, "{} days", ms / 86_400_000),
        }
    }
}

/// As many as [`presented`] waits for.
const ENOUGH_CREDENTIALS: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        let shown = |ms| Time(ms).to_string();
        assert_eq!(shown(0), "less than a second");
        assert_eq!(shown(1_250), "1.2 s");
        assert_eq!(shown(9_999), "9.9 s");
        assert_eq!(shown(10_000), "10 s");
        assert_eq!(shown(119_999), "119 s");
        assert_eq!(shown(120_000), "2 min");
        assert_eq!(shown(7_199_999), "119 min");
        assert_eq!(shown(7_200_000), "2 h");
        assert_eq!(shown(172_800_000), "2 days");
    }
}
