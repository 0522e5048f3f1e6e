//! The issuer's canary.

use std::time::Duration;

use crate::issuer::error::IssuerError;
use crate::issuer::id::new_id;
use crate::issuer::shared::IssuerShared;
use crate::issuer::store::to_row;
use crate::model::timestamp::Timestamp;
use crate::statements::statement::Statement;
use crate::statements::subject::Subject;

/// Revokes the canary, the key that nobody holds, as any other one.
pub(super) async fn make_canary(shared: &IssuerShared, every: Duration) -> Result<(), IssuerError> {
    let now = Timestamp::now();
    let canary = Statement::cut_off(subject())
        .at(now)
        .forget_at(now.saturating_add(every * LIVES));
    let row = to_row(shared.store.source(), &new_id(now)?, &canary)?;
    shared.writer.write(move |page| page.add(&row)).await.map(drop)
}

/// What the canary is.
pub(super) fn subject() -> Subject {
    Subject::named("tower-revocation", "canary")
}

/// For how many periods gateways may keep one: the next one takes its place.
const LIVES: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::canary;

    #[test]
    fn it_is_the_key_that_gateways_watch() {
        assert_eq!(subject().key(), canary::key());
    }
}
