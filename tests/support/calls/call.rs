//! One call, and the records of all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::time::sleep;
use tower_revocation::{EventSink, Key, Revocation};

use super::plan::{Moment, Plan};

/// A call that came; its handler finds it with its request.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) plan: Plan,
    calls: Arc<Calls>,
}

/// All calls that came to a server.
pub(crate) struct Calls {
    seed: u64,
    sink: EventSink,
    records: Mutex<BTreeMap<String, Record>>,
}

/// What became of a call, however often its client sent it.
#[derive(Default)]
struct Record {
    moment: Option<Moment>,
    /// How often it came.
    arrivals: u32,
    /// How often its handler began.
    runs: u32,
    /// Bytes, or messages, of its whole response.
    whole: usize,
}

impl Calls {
    pub(crate) fn new(seed: u64, sink: EventSink) -> Self {
        Self {
            seed,
            sink,
            records: Mutex::default(),
        }
    }

    pub(crate) fn revoke(&self, token: &str) {
        let event = Revocation::block(Key::token(token));
        let applied = self.sink.apply(event).expect("there is room");
        applied.wait().expect("nothing is kept on a disk");
    }

    /// How often the handler of a call ran.
    #[allow(dead_code, reason = "other programs ask over HTTP")]
    pub(crate) fn runs(&self, id: &str) -> u32 {
        self.with(|records| records.get(id).map_or(0, |record| record.runs))
    }

    /// All records, by id.
    pub(crate) fn report(&self) -> Value {
        let report = |record: &Record| {
            let moment = record.moment.map(|moment| format!("{moment:?}"));
            json!({ "moment": moment, "arrivals": record.arrivals, "runs": record.runs, "whole": record.whole })
        };
        self.with(|records| {
            records
                .iter()
                .map(|(id, record)| (id.clone(), report(record)))
                .collect()
        })
    }

    fn note(&self, id: &str, change: impl FnOnce(&mut Record)) {
        self.with(|records| change(records.entry(id.to_owned()).or_default()));
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<String, Record>) -> T) -> T {
        act(&mut self.records.lock().expect("nobody panics while holding it"))
    }
}

impl Call {
    pub(crate) fn revoke(&self) {
        self.calls.revoke(&self.id);
    }

    /// Is a handler's beginning.
    pub(crate) fn begin(&self) {
        self.calls.note(&self.id, |record| record.runs += 1);
        self.reach(Moment::Begun);
    }

    /// Is the time that a handler takes.
    pub(crate) async fn run(&self, whole: usize) {
        self.calls.note(&self.id, |record| record.whole = whole);
        if !self.plan.run_time.is_zero() {
            sleep(self.plan.run_time).await;
        }
        self.reach(Moment::Done);
    }

    fn reach(&self, moment: Moment) {
        if self.plan.moment == moment {
            self.revoke();
        }
    }
}

/// Is the layer around the one under test: a call comes.
pub(crate) async fn arrive(State(calls): State<Arc<Calls>>, mut request: Request, next: Next) -> Response {
    let id = request.headers().get(CALL_ID).and_then(|id| id.to_str().ok());
    let Some(id) = id.map(str::to_owned) else {
        return next.run(request).await;
    };
    let plan = Plan::of(calls.seed, &id, request.headers());
    calls.note(&id, |record| {
        record.arrivals += 1;
        record.moment = Some(plan.moment);
    });
    let call = Call { id, plan, calls };
    call.reach(Moment::Before);
    if let Moment::After(time) = plan.moment {
        let call = call.clone();
        tokio::spawn(async move {
            sleep(time).await;
            call.revoke();
        });
    }
    request.extensions_mut().insert(call);
    next.run(request).await
}

/// The header that says which call it is.
pub(crate) const CALL_ID: &str = "x-call-id";
