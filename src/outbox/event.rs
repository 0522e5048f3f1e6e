//! What is written to the outbox.

use crate::format::revocation::{RevocationEvents, cloud_event};
use crate::model::log_place::LogId;
use crate::outbox::error::OutboxError;
use crate::statements::statement::Statement;

/// Returns a statement as the text of a CloudEvent, with an id of its own.
pub(super) fn event_of(source: &str, statement: &Statement) -> Result<String, OutboxError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| OutboxError::Random(error.to_string()))?;
    let event = cloud_event(source, &LogId::from_bytes(id).to_string(), statement);
    // A gateway would put it aside, and the caller would be gone.
    match RevocationEvents::from_source(source).read(&event) {
        Ok(Ok(_)) => {}
        Ok(Err(why)) => return Err(OutboxError::Unsendable(why.to_owned())),
        Err(error) => return Err(OutboxError::Unsendable(error.to_string())),
    }
    String::from_utf8(event).map_err(|error| OutboxError::Unsendable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statements::subject::Subject;

    #[test]
    fn what_nobody_could_read_is_refused_and_each_event_has_an_id_of_its_own() {
        let statement = Statement::block(Subject::session("s-1"));
        let event = event_of("https://auth.example.com", &statement).unwrap();
        assert_ne!(event, event_of("https://auth.example.com", &statement).unwrap());
        let read = RevocationEvents::from_source("https://auth.example.com").read(event.as_bytes());
        assert_eq!(read.unwrap().unwrap().subjects(), statement.subjects());
        let nobody = event_of("https://auth.example.com", &Statement::block(Subject::session("")));
        assert!(matches!(nobody, Err(OutboxError::Unsendable(_))));
    }
}
