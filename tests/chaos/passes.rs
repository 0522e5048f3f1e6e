//! Who asks, and what may become of it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::process::Agent;

/// A token of an agent, as the test knows it.
pub(crate) struct Pass {
    pub(crate) agent: Agent,
    pub(crate) jti: String,
    /// In seconds since the epoch.
    pub(crate) issued_at: i64,
    standing: Mutex<Standing>,
}

#[derive(Clone, Copy, Default)]
struct Standing {
    /// Whether its revocation was asked for, whatever has become of that.
    is_withdrawn: bool,
    /// Which process is known to have it in force, and since when that is known.
    in_force: Option<(u32, Instant)>,
    /// Since when it is known to be in force in every process, and on disk.
    durable: Option<Instant>,
}

impl Pass {
    pub(crate) fn new(agent: Agent) -> Self {
        let payload = agent.ait.split('.').nth(1).expect("a token has a payload");
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        Self {
            jti: claims["jti"].as_str().unwrap().to_owned(),
            issued_at: claims["iat"].as_i64().unwrap(),
            agent,
            standing: Mutex::default(),
        }
    }

    /// Whether nobody has asked for its revocation.
    pub(crate) fn is_healthy(&self) -> bool {
        !self.standing().is_withdrawn
    }

    /// To be called before its revocation is asked for.
    pub(crate) fn withdraw(&self) {
        self.standing.lock().unwrap().is_withdrawn = true;
    }

    /// Since when its revocation is acknowledged, for requests to this process.
    pub(crate) fn acknowledged(&self, process: u32) -> Option<Instant> {
        let standing = self.standing();
        let here = standing.in_force.filter(|(number, _)| *number == process);
        standing.durable.or_else(|| here.map(|(_, since)| since))
    }

    /// Whether it is acknowledged by any process.
    pub(crate) fn is_acknowledged(&self) -> bool {
        let standing = self.standing();
        standing.durable.is_some() || standing.in_force.is_some()
    }

    /// This process refused it, or has a list that carries it.
    pub(crate) fn in_force(&self, process: u32) {
        let mut standing = self.standing.lock().unwrap();
        if standing.in_force.is_none_or(|(number, _)| number != process) {
            standing.in_force = Some((process, Instant::now()));
        }
    }

    pub(crate) fn durable(&self) {
        self.standing.lock().unwrap().durable.get_or_insert_with(Instant::now);
    }

    fn standing(&self) -> Standing {
        *self.standing.lock().unwrap()
    }
}

/// All of them.
#[derive(Default)]
pub(crate) struct Passes {
    all: RwLock<Vec<Arc<Pass>>>,
    by_token: RwLock<HashMap<String, Arc<Pass>>>,
    /// Those withdrawn last: the likeliest to be let in.
    withdrawn: Mutex<VecDeque<Arc<Pass>>>,
}

impl Passes {
    pub(crate) fn add(&self, pass: Pass) -> Arc<Pass> {
        let pass = Arc::new(pass);
        self.all.write().unwrap().push(Arc::clone(&pass));
        let mut by_token = self.by_token.write().unwrap();
        by_token.insert(pass.jti.clone(), Arc::clone(&pass));
        pass
    }

    pub(crate) fn all(&self) -> Vec<Arc<Pass>> {
        self.all.read().unwrap().clone()
    }

    /// To be called before the revocation of a pass is asked for.
    pub(crate) fn withdraw(&self, pass: &Arc<Pass>) {
        pass.withdraw();
        let mut withdrawn = self.withdrawn.lock().unwrap();
        withdrawn.push_front(Arc::clone(pass));
        withdrawn.truncate(RECENT);
    }

    /// One to ask with: healthy ones, those withdrawn lately, and any.
    pub(crate) fn pick(&self, random: &mut fastrand::Rng) -> Arc<Pass> {
        if random.u8(..10) < 3 {
            let withdrawn = self.withdrawn.lock().unwrap();
            if let Some(pass) = random.choice(&*withdrawn) {
                return Arc::clone(pass);
            }
        }
        let all = self.all.read().unwrap();
        Arc::clone(random.choice(&*all).expect("there are some"))
    }

    /// This process has a list that carries these tokens.
    pub(crate) fn listed(&self, process: u32, tokens: &HashSet<String>) {
        let by_token = self.by_token.read().unwrap();
        for pass in tokens.iter().filter_map(|token| by_token.get(token)) {
            pass.in_force(process);
        }
    }

    /// By then this process had on disk all that it had in force.
    pub(crate) fn kept(&self, process: u32, by: Instant) {
        for pass in self.all.read().unwrap().iter() {
            let standing = pass.standing();
            if standing
                .in_force
                .is_some_and(|(number, since)| number == process && since < by)
            {
                pass.durable();
            }
        }
    }

    pub(crate) fn acknowledged(&self) -> usize {
        let all = self.all.read().unwrap();
        all.iter().filter(|pass| pass.is_acknowledged()).count()
    }
}

const RECENT: usize = 60;
