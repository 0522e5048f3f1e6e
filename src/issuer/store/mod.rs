//! What an issuer keeps on disk.

mod writer;
mod database;
mod page;
mod written_log;
mod row;
mod directory;

pub(crate) use database::IssuerStore;
pub(crate) use page::LogBeginning;
pub(crate) use row::{KeptStatement, id_of, to_row};
pub(crate) use writer::StoreWriter;
#[cfg(test)]
pub(crate) use written_log::CoveredByList;
pub(crate) use written_log::WrittenLog;
