//! Which members stand for keys.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::identify::token::text::{MemberName, is_plain};
use crate::model::key::Key;

/// A member's name, and the kind of key that its value names.
#[derive(Clone)]
pub(crate) struct Claim {
    name: Cow<'static, str>,
    is_plain: bool,
    make: Arc<MakeKey>,
}

/// Makes a key of an id, such as [`Key::token`].
type MakeKey = dyn Fn(&str) -> Key + Send + Sync;

impl Claim {
    pub(crate) fn new(name: impl Into<Cow<'static, str>>, make: impl Fn(&str) -> Key + Send + Sync + 'static) -> Self {
        let name = name.into();
        Self {
            is_plain: is_plain(name.as_bytes()),
            name,
            make: Arc::new(make),
        }
    }

    pub(crate) fn is_named(&self, name: MemberName<'_>) -> bool {
        name.is(&self.name, self.is_plain)
    }

    pub(crate) fn key(&self, id: &str) -> Key {
        (self.make)(id)
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
