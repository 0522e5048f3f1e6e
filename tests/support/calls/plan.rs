//! What becomes of a call.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use http::HeaderMap;
use tower_revocation::Running;

/// When a call is revoked, what becomes of its handler then, how long its handler takes, and what its response is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) moment: Moment,
    /// What becomes of a handler that is revoked.
    pub(crate) running: Running,
    pub(crate) run_time: Duration,
    pub(crate) pieces: usize,
    /// Bytes of a piece, where its protocol leaves that open.
    pub(crate) piece_len: usize,
    /// Between two pieces.
    pub(crate) pause: Duration,
    /// Whether the body has to wait once it has revoked its own call; if not, its next piece is there at once.
    pub(crate) is_slow: bool,
}

/// When a call's token is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Never,
    /// In front of the layer.
    Before,
    /// As the handler begins.
    Begun,
    /// So long after the call came.
    After(Duration),
    /// As the handler returns its response.
    Done,
    /// As the body is asked for its piece of this number; the head has not left by 0.
    Piece(usize),
}

impl Plan {
    /// Returns the plan for a call: always the same for a seed and an id.
    pub(crate) fn of(seed: u64, id: &str, headers: &HeaderMap) -> Self {
        let mut hasher = DefaultHasher::new();
        (seed, id).hash(&mut hasher);
        let mut random = fastrand::Rng::with_seed(hasher.finish());
        let asked = |name| headers.get(name).and_then(|value| value.to_str().ok());
        // Of more than 999 bytes, or of a length that nobody knows.
        let has_upload =
            asked("content-length").is_some_and(|length| length.len() > 3) || asked("transfer-encoding").is_some();
        let whole = asked(WHOLE).and_then(|whole| whole.parse().ok());
        let pieces = whole.map_or_else(|| random.usize(1..=16), |whole: usize| whole.div_ceil(PIECE));
        let run_time = Duration::from_millis(random.u64(0..=3));
        let pause = Duration::from_millis(random.u64(0..=1));
        let longest = run_time + pause * u32::try_from(pieces).expect("pieces are few");
        let moment = match random.u32(0..8) {
            0 => Moment::Never,
            1 => Moment::Before,
            2 => Moment::Begun,
            3 => Moment::Done,
            4 => Moment::Piece(0),
            5 => Moment::Piece(random.usize(0..pieces)),
            _ => Moment::After(Duration::from_micros(random.u64(0..=longest.as_micros() as u64))),
        };
        Self {
            moment: asked(MOMENT).map_or(moment, |name| Moment::named(name, pieces)),
            run_time,
            pieces,
            piece_len: whole.map_or_else(|| random.usize(1..=PIECE), |_| PIECE),
            pause,
            is_slow: random.bool(),
            running: match asked(RUNNING) {
                Some("drop") => Running::Drop,
                // An upload that a dropped handler leaves unread is a matter of its own: see tests/proxies.
                Some(_) => Running::Finish,
                None if has_upload => Running::Finish,
                None if random.bool() => Running::Finish,
                None => Running::Drop,
            },
        }
    }
}

impl Moment {
    /// What `x-moment` asks for.
    ///
    /// # Panics
    /// If it is none of these.
    fn named(name: &str, pieces: usize) -> Self {
        match name {
            "never" => Self::Never,
            "before" => Self::Before,
            "begun" => Self::Begun,
            "done" => Self::Done,
            "first-piece" => Self::Piece(0),
            "half" => Self::Piece(pieces / 2),
            _ => panic!("no such moment: {name}"),
        }
    }
}

/// The header that says when a call is revoked.
pub(crate) const MOMENT: &str = "x-moment";
/// The header that says what becomes of a revoked handler: `finish` or `drop`.
pub(crate) const RUNNING: &str = "x-running";
/// The header that says how long a download is, in bytes; rounded up to whole pieces of 16 KiB.
pub(crate) const WHOLE: &str = "x-whole";
/// Bytes of the longest piece.
const PIECE: usize = 16 << 10;
