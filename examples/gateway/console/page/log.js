// What happened, latest first.

const KINDS = {
  cut: ['Cut', 'bad', 'refusals'],
  'dead-letter': ['Put aside', 'warn', 'revocations'],
  feed: ['Feed', 'plain', 'system'],
  ignored: ['Ignored', 'plain', 'revocations'],
  list: ['List', 'plain', 'system'],
  poll: ['List', 'plain', 'system'],
  refused: ['Refused', 'bad', 'refusals'],
  reinstated: ['Reinstated', 'good', 'revocations'],
  revoked: ['Revoked', 'warn', 'revocations'],
};
const KEPT = 200;

let log = [];
let waiting = [];

function replaceLog(entries) {
  log = entries.slice(-KEPT);
  waiting = [];
  by('log').replaceChildren(...log.filter(isWanted).map((entry) => row(entry, false)).reverse());
  by('log-none').hidden = by('log').children.length > 0;
}

// Of many at once, all are drawn together.
function addEntry(entry) {
  waiting.push(entry);
  if (waiting.length === 1) setTimeout(drawWaiting, 50);
}

function drawWaiting() {
  const fresh = waiting.splice(0);
  log = log.concat(fresh).slice(-KEPT);
  const list = by('log');
  const top = list.scrollTop;
  const height = list.scrollHeight;
  list.prepend(...fresh.filter(isWanted).map((entry) => row(entry, true)).reverse());
  while (list.children.length > KEPT) list.lastElementChild.remove();
  // Who reads further down goes on reading there.
  if (top > 0) list.scrollTop = top + list.scrollHeight - height;
  by('log-none').hidden = list.children.length > 0;
  fresh.forEach(announce);
}

function row(entry, isFresh) {
  const [name, tone] = KINDS[entry.kind] || [entry.kind, 'plain'];
  return make('li', { class: isFresh ? 'fresh' : '' },
    make('time', { datetime: new Date(entry.at_ms).toISOString() }, clock(entry.at_ms, true)),
    make('span', { class: 'tag', 'data-tone': tone }, name),
    make('div', {},
      make('div', { class: 'words' }, capital(entry.words)),
      entry.agent ? make('div', { class: 'whom', title: entry.agent }, brief(entry.agent)) : null));
}

function isWanted(entry) {
  const wanted = by('filter').value;
  return !wanted || (KINDS[entry.kind] || [])[2] === wanted;
}

by('filter').addEventListener('change', () => replaceLog(log.concat(waiting)));

// Whoever listens is told the latest, and of a flood how much there was.
let toAnnounce = [];
function announce(entry) {
  toAnnounce.push(entry);
  if (toAnnounce.length > 1) return;
  setTimeout(() => {
    const [last] = toAnnounce.slice(-1);
    const more = toAnnounce.length > 1 ? `, and ${toAnnounce.length - 1} more` : '';
    say(by('announce'), `${capital(last.words)}${more}`);
    toAnnounce = [];
  }, 2000);
}
