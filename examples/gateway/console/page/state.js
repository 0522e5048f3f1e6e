// How everything is: the sentence on top, the row of facts, and the open streams.

const FEEDS = {
  unknown: ['No feed', 'warn', 'no queue is read; only the list tells of revocations'],
  connecting: ['Connecting', 'warn', 'the queue is being connected'],
  'catching-up': ['Catching up', 'warn', 'older events are still coming in'],
  live: ['Live', 'good', 'events arrive as they happen'],
  down: ['Down', 'bad', 'no events arrive; the list is fetched more often instead'],
};

let latest = null;
let latestAt = 0;

function showNow(now) {
  latest = now;
  latestAt = performance.now();
  redraw();
  showAgents(now.agents);
}

// Ages go on while nothing comes.
function redraw() {
  if (!latest) return;
  const since = performance.now() - latestAt;
  showVerdict(latest.status, since);
  showFacts(latest.status, since);
  showStreams(latest.streams, since);
}

function showVerdict(status, since) {
  const { snapshot, overlay, feed } = status;
  const [, feedTone, feedWords] = FEEDS[feed.state] || FEEDS.unknown;
  const size = snapshot && snapshot.entries === 0 ? 'an empty list' : snapshot && `a list of ${snapshot.entries.toLocaleString('en')}`;
  const list = snapshot ? `${size}, fetched ${ago(snapshot.age_ms + since)}` : 'no list yet';
  const held = `${several(overlay.entries, 'event', 'events')} and ${list}`;
  const words = status.ready ? `Enforcing ${held}` : 'Refusing everyone: there is no fresh revocation list';
  // What was last heard may be true no more.
  say(by('verdict-words'), lostAt === null ? words : `When last heard, at ${clock(latest.at_ms)}: ${words}`);
  const more = status.ready ? `${capital(feedWords)}.` : `Known: ${held}. ${capital(feedWords)}.`;
  const open = latest.streams.open.length + latest.streams.more;
  say(by('verdict-more'), `${more} A revocation refuses new requests and cuts open streams (${open} now).`);
  const concerns = status.concerns || [];
  const tone = !status.ready ? 'bad' : concerns.length > 0 || feedTone === 'bad' ? 'warn' : 'good';
  mark(by('verdict'), 'data-tone', tone);
  by('concerns').hidden = concerns.length === 0;
  sync(by('concerns'), concerns, (it) => it.code, () => make('li'), (item, it) => say(item, it.words));
}

function showFacts(status, since) {
  const { feed, poll, snapshot, overlay, verdicts, in_flight: flight, journal, canary } = status;
  const age = (value) => ago(value + since);
  const facts = [];
  const [name, tone, explained] = FEEDS[feed.state] || FEEDS.unknown;
  const last = feed.last_event_ms_ago === null ? 'no event yet' : `last event ${age(feed.last_event_ms_ago)}`;
  const why = !status.concerns && feed.state === 'down' && feed.last_error ? `. ${feed.last_error}` : '';
  facts.push(['Event feed', name, tone, `${explained}${why}; ${last}${feed.source ? ` (${feed.source})` : ''}`]);
  const polled = poll.last_error
    ? `cannot be fetched: ${several(poll.failures, 'failed attempt', 'failed attempts')}${status.concerns ? '' : `; ${poll.last_error}`}`
    : poll.last_success_ms_ago === null ? 'not fetched yet' : `fetched or confirmed ${age(poll.last_success_ms_ago)}`;
  const listTone = status.freshness !== 'fresh' ? 'bad' : poll.last_error ? 'warn' : 'good';
  const freshness = { stale: 'too old; ', 'no-snapshot': '' }[status.freshness] || '';
  facts.push(['Revocation list', snapshot ? several(snapshot.entries, 'entry', 'entries') : 'None', listTone, freshness + polled]);
  const full = overlay.entries >= overlay.capacity * 0.9 ? 'bad' : null;
  facts.push(['Events held', overlay.entries.toLocaleString('en'), full, `room for ${overlay.capacity.toLocaleString('en')}; ${
    several(status.dispositions.applied, 'message', 'messages')} applied, ${status.dispositions.ignored} ignored, ${
    status.dispositions['dead-letter'] ?? 0} put aside`]);
  const byWhom = verdicts.revoked_by_event === undefined ? ''
    : `: ${verdicts.revoked_by_event.toLocaleString('en')} by an event, ${verdicts.revoked_by_list.toLocaleString('en')} by the list`;
  facts.push(['Requests refused', verdicts.revoked.toLocaleString('en'), null, `as revoked${byWhom}; ${
    verdicts.admit.toLocaleString('en')} admitted, ${(verdicts.unknown ?? 0).toLocaleString('en')} undecided for want of a list`]);
  facts.push(['Cut in flight', flight.cut.toLocaleString('en'), null, `streams, and answers under way; ${
    several(flight.waiting, 'stream waits', 'streams wait')} for what comes next`]);
  if (canary) {
    const proof = canary.last_proof_ms_ago === null ? 'no proof yet' : `proved ${age(canary.last_proof_ms_ago)}`;
    const [state, tone] = canary.is_overdue ? ['Overdue', 'bad'] : ['Heard', 'good'];
    facts.push(['Canary', state, tone, `${proof}; one every ${span(canary.every_ms)}`]);
  }
  if (journal) {
    const kept = `${several(journal.entries, 'key', 'keys')} in ${bytes(journal.bytes)}`;
    facts.push(['Journal', journal.durable ? 'On disk' : 'Not written', journal.durable ? 'good' : 'bad',
      journal.durable ? kept : `${kept}. ${journal.last_error || ''}`]);
  }
  const create = ([title]) => make('div', {}, make('dt', {}, title), make('dd', { class: 'value' }), make('dd', { class: 'more' }));
  sync(by('facts'), facts, ([title]) => title, create, (box, [, value, tone, more]) => {
    mark(box, 'data-tone', tone || 'plain');
    say(box.children[1], value);
    say(box.children[2], more);
  });
}

const ENDS = { broken: 'upstream broke off', left: 'client left', whole: 'ended' };

function showStreams(streams, since) {
  const count = streams.open.length + streams.more;
  say(by('streams-count'), several(count, 'is open', 'are open'));
  const shown = [...streams.open, ...streams.ended];
  const create = () => {
    const name = make('span', { class: 'name' }, make('span'), ' ', make('span', { class: 'mono' }));
    return make('li', {}, name, make('span', { class: 'end' }));
  };
  if (shown.length === 0) shown.push({ nothing: true });
  sync(by('streams'), shown, (it) => it.number ?? '', create, (row, it) => {
    if (it.nothing) return say(row.children[0].children[0], 'None. A stream shows when it is open for a moment.');
    say(row.children[0].children[0], it.what);
    say(row.children[0].children[1], brief(it.agent));
    row.className = it.end === 'cut' ? 'cut' : '';
    const sent = it.bytes ? `, ${bytes(it.bytes)}` : '';
    const cut = it.after_ms === null || it.after_ms === undefined ? 'cut by a revocation' : `cut ${ms(it.after_ms)} after the revocation`;
    say(row.children[1], !it.end ? `open ${span(it.open_ms + since)}${sent}` : it.end === 'cut' ? cut : `${ENDS[it.end]} after ${span(it.open_ms)}`);
  });
}

function capital(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
