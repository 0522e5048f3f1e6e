//! Which members stand for keys.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::identify::token::text::{JsonText, MemberName, is_plain};
use crate::model::key::Key;

/// A member's name, the names of the objects that it stands in, and the kind of key that its value names.
#[derive(Clone)]
pub(crate) struct Claim {
    name: SoughtName,
    within: Vec<SoughtName>,
    make: Arc<MakeKey>,
}

#[derive(Clone)]
struct SoughtName {
    text: Cow<'static, str>,
    is_plain: bool,
}

impl SoughtName {
    fn new(text: Cow<'static, str>) -> Self {
        Self {
            is_plain: is_plain(text.as_bytes()),
            text,
        }
    }

    fn is(&self, name: MemberName<'_>) -> bool {
        name.is(&self.text, self.is_plain)
    }
}

/// Makes a key of an id, such as [`Key::token`].
type MakeKey = dyn Fn(&str) -> Key + Send + Sync;

impl Claim {
    pub(crate) fn new(name: impl Into<Cow<'static, str>>, make: impl Fn(&str) -> Key + Send + Sync + 'static) -> Self {
        Self {
            name: SoughtName::new(name.into()),
            within: Vec::new(),
            make: Arc::new(make),
        }
    }

    /// A claim within others: from the outermost name to its own. `None` if there is no name at all, and within `act`: of an actor the
    /// same claims are read as of the token, at any depth.
    pub(crate) fn at(
        path: impl IntoIterator<Item = Cow<'static, str>>,
        make: impl Fn(&str) -> Key + Send + Sync + 'static,
    ) -> Option<Self> {
        let mut within: Vec<_> = path.into_iter().map(SoughtName::new).collect();
        let name = within.pop()?;
        let act = MemberName::new(JsonText::new(b"act", false));
        if within.first().is_some_and(|outermost| outermost.is(act)) {
            return None;
        }
        Some(Self {
            name,
            within,
            make: Arc::new(make),
        })
    }

    /// How many objects of its own path it stands in.
    pub(crate) const fn depth(&self) -> usize {
        self.within.len()
    }

    /// Whether it is named so, and stands in this many objects of its own path.
    pub(crate) fn is_named(&self, name: MemberName<'_>, depth: usize) -> bool {
        self.within.len() == depth && self.name.is(name)
    }

    /// Whether the object that it stands in at this depth is named so.
    pub(crate) fn is_within(&self, name: MemberName<'_>, depth: usize) -> bool {
        self.within.get(depth).is_some_and(|around| around.is(name))
    }

    pub(crate) fn key(&self, id: &str) -> Key {
        (self.make)(id)
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name.text)
    }
}
