//! Which faults come when.

use crate::faults::{Fault, Part};
use crate::tally::Tally;

/// The order in which faults are inflicted: each once before any comes again.
pub(crate) struct Deck {
    pub(crate) random: fastrand::Rng,
    cards: Vec<Fault>,
}

impl Deck {
    pub(crate) fn shuffled(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            cards: Vec::new(),
        }
    }

    /// Two or three that do not get into each other's way, this one among them.
    pub(crate) fn deal(&mut self, tally: &Tally, first: Option<Fault>) -> Vec<Fault> {
        let most = self.random.usize(2..=3);
        let mut chosen: Vec<Fault> = first.into_iter().collect();
        let mut taken: Vec<Part> = chosen.iter().flat_map(|fault| fault.parts()).copied().collect();
        if first.is_some() {
            // The lists must come back when this one ends.
            taken.extend([Part::Clock, Part::Registry]);
        }
        if self.cards.len() < 3 {
            let mut more = Fault::ALL.to_vec();
            self.random.shuffle(&mut more);
            // Dealt from the end: what had no effect yet comes first.
            more.sort_by_key(|fault| !tally.was_seen(*fault));
            self.cards.splice(..0, more);
        }
        for at in (0..self.cards.len()).rev() {
            let fault = self.cards[at];
            if chosen.len() < most && !chosen.contains(&fault) && fault.parts().iter().all(|part| !taken.contains(part))
            {
                taken.extend(fault.parts());
                chosen.push(self.cards.remove(at));
            }
        }
        chosen
    }
}
