//! Stands in for `src/domain/trust_domain.rs`: of all that a domain knows, what is in force is enough here.

use crate::state::store::Store;

pub(crate) struct TrustDomain {
    pub(crate) store: Store,
}
