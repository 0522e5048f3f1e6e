//! An issuer as the relay of what came in at a door.

use std::error::Error;

use crate::doors::RelayStatements;
use crate::issuer::handle::Issuer;
use crate::statements::statement::Statement;

impl RelayStatements for Issuer {
    /// Resolves once the broker has confirmed the statements, and they were read back.
    async fn relay(&self, statements: Vec<Statement>) -> Result<(), Box<dyn Error + Send + Sync>> {
        for statement in statements {
            self.revoke(statement).await?;
        }
        self.published().await?;
        Ok(())
    }
}
