// The token, and the line to the gateway.

let token = takeToken();
let lostAt = null;
let following = false;

// From the address into this tab alone: an address is copied, kept in the history and seen over shoulders.
function takeToken() {
  const found = /(?:^#|&)token=([^&]+)/.exec(location.hash);
  if (found) {
    sessionStorage.setItem('token', decodeURIComponent(found[1]));
    history.replaceState(null, '', location.pathname);
  }
  return sessionStorage.getItem('token');
}

function lock(why) {
  sessionStorage.removeItem('token');
  token = null;
  by('console').hidden = true;
  by('unlock').hidden = false;
  if (why) {
    say(by('unlock-why'), why);
    mark(by('unlock-why'), 'data-tone', 'bad');
  }
  mark(by('link'), 'data-tone', 'idle');
  say(by('link'), 'Locked');
  document.body.classList.remove('lost');
  by('token').focus();
  return null;
}

by('unlock').addEventListener('submit', (event) => {
  event.preventDefault();
  token = by('token').value.trim();
  if (!token) return;
  by('token').value = '';
  sessionStorage.setItem('token', token);
  follow();
});

window.addEventListener('hashchange', () => {
  if (!location.hash.includes('token=')) return;
  token = takeToken();
  follow();
});

async function follow() {
  if (following) return;
  following = true;
  let pause = FIRST_PAUSE;
  while (token) {
    try {
      await read(() => { pause = FIRST_PAUSE; });
    } catch (error) {
      if (error.isRefused) {
        lock('This token is wrong, or the gateway was started again and printed another. '
          + 'Take the one in its latest line that begins with “console”.');
        break;
      }
    }
    showLost();
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }
  following = false;
}

// Reads until the line breaks. It is taken for broken too if nothing comes for a while.
async function read(onceOpen) {
  const abort = new AbortController();
  let watchdog = setTimeout(() => abort.abort(), SILENCE);
  try {
    const response = await fetch('/console/feed', { headers: { Authorization: `Bearer ${token}` }, cache: 'no-store', signal: abort.signal });
    if (response.status === 401) throw Object.assign(new Error('refused'), { isRefused: true });
    if (!response.ok) throw new Error(await response.text());
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(watchdog);
      watchdog = setTimeout(() => abort.abort(), SILENCE);
      const lines = (rest + value).split('\n');
      rest = lines.pop();
      lines.forEach(take);
      onceOpen();
      showLinked();
    }
  } finally {
    clearTimeout(watchdog);
  }
}

function take(line) {
  const news = JSON.parse(line);
  if (news.type === 'picture') {
    replaceLog(news.log);
    replacePoints(news.points);
  } else if (news.type === 'entry') {
    addEntry(news.entry);
  } else if (news.type === 'point') {
    addPoint(news.point);
    drawSoon();
  } else if (news.type === 'now') {
    showNow(news);
  }
}

let isDrawing = false;
function drawSoon() {
  if (isDrawing) return;
  isDrawing = true;
  setTimeout(() => { isDrawing = false; drawChart(); }, 100);
}

function showLinked() {
  if (lostAt === null && !by('console').hidden) return;
  lostAt = null;
  by('unlock').hidden = true;
  by('console').hidden = false;
  document.body.classList.remove('lost');
  mark(by('link'), 'data-tone', 'good');
  say(by('link'), 'Connected');
  drawChart();
}

function showLost() {
  if (!token) return;
  if (lostAt === null) lostAt = Date.now();
  document.body.classList.add('lost');
  mark(by('link'), 'data-tone', 'bad');
  say(by('link'), `Connection to the gateway lost, since ${clock(lostAt)}; trying again`);
  redraw();
}

const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 5000;
// The gateway says something twice a second.
const SILENCE = 4000;

setInterval(redraw, 1000);
setInterval(drawChart, 5000);
new ResizeObserver(drawSoon).observe(by('chart'));
if (token) follow();
else lock();
