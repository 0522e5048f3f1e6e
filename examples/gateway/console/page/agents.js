// Agents to try it with.

let counted = 1;

async function ask(path, body) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body || {}),
  });
  if (response.status === 401) return lock('The gateway does not take this token any more: it was started again, perhaps.');
  const words = await response.text();
  let answer = null;
  try { answer = JSON.parse(words); } catch { /* it is plain text */ }
  if (!response.ok) throw new Error((answer && answer.error) || words || `status ${response.status}`);
  return answer;
}

async function doing(button, work) {
  if (button.getAttribute('aria-disabled') === 'true') return;
  // Not `disabled`: that would take the focus from under the keyboard.
  button.setAttribute('aria-disabled', 'true');
  by('agents-problem').hidden = true;
  try {
    await work();
  } catch (error) {
    say(by('agents-problem'), `That failed: ${error.message}`);
    by('agents-problem').hidden = false;
  } finally {
    button.setAttribute('aria-disabled', 'false');
    if (latest) showAgents(latest.agents);
  }
}

by('register').addEventListener('submit', (event) => {
  event.preventDefault();
  const button = event.target.querySelector('button');
  doing(button, async () => {
    await ask('/console/agents', { name: by('name').value.trim() || 'agent' });
    counted += 1;
    by('name').value = by('name').value.replace(/\d+$/, '') + counted;
  });
});

function showAgents(agents) {
  by('try').hidden = !agents;
  by('elsewhere').hidden = Boolean(agents);
  if (agents) sync(by('agent-list'), agents, (agent) => agent.id, createAgent, updateAgent);
}

function createAgent(agent) {
  const action = (name, words, look) => {
    const button = make('button', { type: 'button', class: look || '', 'data-action': name, 'aria-label': `${words} ${agent.name}` }, words);
    button.addEventListener('click', () => doing(button, () => ask(`/console/agents/${agent.id}/${name}`)));
    return button;
  };
  const copy = make('button', { type: 'button', 'data-action': 'copy', 'aria-label': `Copy curl line of ${agent.name}` }, 'Copy curl');
  const item = make('li', { 'data-agent': agent.name },
    make('div', { class: 'who' }, make('strong', {}, agent.name), make('span', { class: 'tag' }), make('span', { class: 'mono' }, agent.did)),
    make('div', { class: 'buttons small' },
      action('call', 'Call'), action('stream', 'Open stream'), action('revoke', 'Revoke', 'danger'), action('reissue', 'Reissue token'), copy),
    make('p', { class: 'flow', hidden: true }),
    make('ul', { class: 'steps' }));
  copy.addEventListener('click', () => copyCurl(item, copy));
  return item;
}

function updateAgent(item, agent) {
  item.curl = agent.curl;
  const tag = item.querySelector('.tag');
  say(tag, agent.revoked ? 'revoked' : 'active');
  mark(tag, 'data-tone', agent.revoked ? 'bad' : 'good');
  const isOpen = agent.stream && agent.stream.state === 'open';
  const able = { call: true, stream: !isOpen && !agent.revoked, revoke: !agent.revoked, reissue: !agent.revoked };
  for (const [name, can] of Object.entries(able)) mark(item.querySelector(`[data-action=${name}]`), 'aria-disabled', String(!can));
  const flow = item.querySelector('.flow');
  flow.hidden = !agent.stream;
  if (agent.stream) {
    const { state, ticks, after_ms: after } = agent.stream;
    mark(flow, 'data-tone', state === 'open' ? 'good' : 'bad');
    const heard = several(ticks, 'tick', 'ticks');
    say(flow, {
      open: `Stream open: ${heard} so far`,
      cut: `Stream cut ${after === null ? 'by the revocation' : `${ms(after)} after the revocation`}, ${heard} came through`,
      broken: `Stream broke off after ${heard}, with nobody revoked`,
      ended: `Stream ended after ${heard}`,
    }[state]);
  }
  const create = (step) => make('li', {}, make('span', { class: 'what' }), make('span', {}, make('span', { class: 'code' }), make('span')));
  sync(item.querySelector('.steps'), agent.story, (step) => `${step.at_ms} ${step.what}`, create, (line, step) => {
    say(line.children[0], capital(step.what));
    const [code, words] = line.children[1].children;
    say(code, step.status === null ? '' : String(step.status));
    mark(code, 'data-tone', step.status >= 400 ? 'bad' : 'good');
    const took = step.ms === null ? '' : ` in ${ms(step.ms)}`;
    say(words, `${took}${step.note ? `${took ? ' · ' : ''}${step.note}` : ''}`);
  });
}

async function copyCurl(item, button) {
  try {
    await navigator.clipboard.writeText(item.curl);
    say(button, 'Copied');
    setTimeout(() => say(button, 'Copy curl'), 2000);
  } catch {
    // Browsers let no page copy that comes from another machine without TLS.
    if (item.querySelector('.paste')) return;
    const paste = make('textarea', { class: 'paste', rows: 4, readonly: true, 'aria-label': 'A curl line to copy' });
    paste.value = item.curl;
    item.append(paste);
    paste.select();
  }
}
