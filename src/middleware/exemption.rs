//! Which requests pass without a credential, where one is demanded.

use std::fmt;
use std::sync::Arc;

use crate::respond::RequestHead;

/// Says which requests pass without a credential, where one is demanded. By default, CORS preflights do.
#[derive(Clone, Default)]
pub(crate) struct Exemption {
    /// A box, so that the type of the layer stays what it is. Only requests without a credential ask it.
    rule: Option<Arc<AllowAnonymous>>,
}

type AllowAnonymous = dyn Fn(&RequestHead<'_>) -> bool + Send + Sync;

impl Exemption {
    pub(crate) fn new(rule: impl Fn(&RequestHead<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self {
            rule: Some(Arc::new(rule)),
        }
    }

    pub(crate) fn covers(&self, head: &RequestHead<'_>) -> bool {
        match &self.rule {
            Some(rule) => rule(head),
            None => head.is_preflight(),
        }
    }
}

impl fmt::Debug for Exemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = self.rule.as_ref().map_or("preflights", |_| "chosen by the host");
        f.debug_tuple("Exemption").field(&rule).finish()
    }
}
