//! Checks a rule.

use crate::source::testing::bounded_harness::BoundedHarness;
use crate::source::testing::cases;
use crate::source::testing::harness::{Capability, Harness};
use crate::source::testing::rule::{Checked, Rule, RuleBroken};

/// Checks whether the source of a fresh harness keeps to a rule.
///
/// Takes some seconds with a broker that runs, and next to nothing under tokio's paused clock.
///
/// # Errors
///
/// The source breaks the rule: what was seen, in words. That is also which call of the source did not return within 60
/// seconds, or which call of the harness within 2 minutes.
///
/// # Panics
///
/// Outside a tokio runtime with its clock enabled.
pub async fn check<H: Harness>(rule: Rule, harness: H) -> Result<Checked, RuleBroken> {
    let lacks = |capability: &Capability| H::LACKS.contains(capability);
    let either = [Capability::ReadAgain, Capability::Cut];
    let lacking = match rule {
        Rule::CaughtUpAtTheEnd if either.iter().all(lacks) => Some(either[0]),
        rule => rule.takes().iter().copied().find(lacks),
    };
    if let Some(lacking) = lacking {
        return Ok(Checked::CannotBeShown(lacking));
    }
    let harness = &mut BoundedHarness::new(harness);
    let checked = match rule {
        Rule::OnceAndInOrder => cases::once_and_in_order(harness).await,
        Rule::DroppedCallsLoseNothing => cases::dropped_calls_lose_nothing(harness).await,
        Rule::AfterAPosition => cases::after_a_position(harness).await,
        Rule::SinceATime => cases::since_a_time(harness).await,
        Rule::GoesOnAfterACut => cases::goes_on_after_a_cut(harness).await,
        Rule::UnsettledComesAgain => cases::unsettled_comes_again(harness).await,
        Rule::CaughtUpAtTheEnd => cases::caught_up_at_the_end(harness).await,
        Rule::StaysCaughtUp => cases::stays_caught_up(harness).await,
        Rule::TrimmedIsAGap => cases::trimmed_is_a_gap(harness).await,
        Rule::AnotherLogIsAGap => cases::another_log_is_a_gap(harness).await,
        Rule::LostLogIsAGap => cases::lost_log_is_a_gap(harness).await,
        Rule::EveryMessageEnds => cases::every_message_ends(harness).await,
        Rule::SilenceIsNoticed => cases::silence_is_noticed(harness).await,
    };
    match checked {
        Ok(()) => Ok(Checked::Holds),
        Err(seen) => Err(RuleBroken { rule, seen }),
    }
}
