//! The database on disks that lie, break and fill up.

mod damage;
mod disk;
mod failures;
mod lists;
mod expiry;
