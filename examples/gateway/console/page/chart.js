// How long each revocation took, over time: three marks for an agent, told apart by shape as well.

const SERIES = [
  ['in_force_ms', 'In force', 'force', (x, y) => make('circle', { cx: x, cy: y, r: 4 })],
  ['refused_ms', 'First refusal', 'refused', (x, y) => make('rect', { x: x - 3.5, y: y - 3.5, width: 7, height: 7 })],
  ['cut_ms', 'Stream cut', 'cut-mark', (x, y) => make('path', { d: `M${x} ${y - 5}L${x + 5} ${y + 4}L${x - 5} ${y + 4}Z` })],
];
const POINTS = 300;
const HEIGHT = 216;
const EDGE = { left: 58, right: 12, top: 10, bottom: 26 };

const points = new Map();

function replacePoints(list) {
  points.clear();
  list.forEach(addPoint);
  drawChart();
}

function addPoint(point) {
  points.set(point.seq, point);
  if (points.size > POINTS) points.delete(points.keys().next().value);
}

function figures(name) {
  const values = [...points.values()].map((point) => point[name]).filter((value) => value !== null).sort((a, b) => a - b);
  if (values.length === 0) return null;
  const middle = values.length >> 1;
  const median = values.length % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return { median, worst: values[values.length - 1], count: values.length };
}

function drawChart() {
  const width = by('chart').clientWidth || 560;
  const now = latest ? latest.at_ms + performance.now() - latestAt : Date.now();
  const all = [...points.values()];
  const oldest = all.length > 0 ? Math.min(...all.map((point) => point.at_ms)) : now;
  // From just before the oldest, in a whole number of steps that a person would choose.
  const minutes = [1, 2, 5, 10, 30, 60, 180, 720, 1440].find((it) => now - oldest < it * 57000) || 2880;
  const x = (at) => EDGE.left + (1 - (now - at) / (minutes * 60000)) * (width - EDGE.left - EDGE.right - 8);
  // From 0.1 ms to 1 s; if something took longer, to 100 s.
  const slowest = Math.max(...all.flatMap((point) => SERIES.map(([name]) => point[name] || 0)), 0);
  const decades = slowest > 1000 ? 6 : 4;
  const y = (value) => {
    const share = Math.min(Math.log10(Math.max(value, 0.1) / 0.1) / decades, 1);
    return HEIGHT - EDGE.bottom - share * (HEIGHT - EDGE.top - EDGE.bottom);
  };
  const svg = make('svg', { role: 'img', viewBox: `0 0 ${width} ${HEIGHT}` });
  for (let decade = 0; decade <= decades; decade += 1) {
    const value = Number(`1e${decade - 1}`);
    svg.append(make('line', { class: 'grid', x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }));
    const label = value < 1000 ? `${value} ms` : `${value / 1000} s`;
    svg.append(make('text', { class: 'axis', x: EDGE.left - 8, y: y(value) + 4, 'text-anchor': 'end' }, label));
  }
  const steps = width < 420 ? 2 : 4;
  for (let step = 0; step <= steps; step += 1) {
    const back = minutes * (1 - step / steps);
    const at = x(now - back * 60000);
    const words = back === 0 ? 'now' : back < 1 ? `−${back * 60} s` : back % 60 === 0 ? `−${back / 60} h` : `−${+back.toFixed(1)} min`;
    const anchor = step === steps ? 'end' : step === 0 ? 'start' : 'middle';
    svg.append(make('text', { class: 'axis', x: at, y: HEIGHT - 6, 'text-anchor': anchor }, words));
  }
  const summary = [];
  for (const [at, [name, title, look, shape]] of SERIES.entries()) {
    const found = figures(name);
    if (!found) continue;
    summary.push(`${title}: median ${ms(found.median)}, worst ${ms(found.worst)}`);
    svg.append(make('line', { class: `median ${look}`, x1: EDGE.left, x2: width - EDGE.right, y1: y(found.median), y2: y(found.median) }));
    for (const point of all.filter((it) => it[name] !== null)) {
      // Side by side, since they often take about as long.
      const dot = shape(x(point.at_ms) + (at - 1) * 5, y(point[name]));
      dot.setAttribute('class', `point ${look}`);
      dot.append(make('title', {}, `${title} ${ms(point[name])}, ${clock(point.at_ms)}, ${point.agent}`));
      svg.append(dot);
    }
  }
  if (all.length === 0) {
    const words = 'No revocation yet';
    svg.append(make('text', { class: 'none', x: (EDGE.left + width) / 2, y: HEIGHT / 2 - 16, 'text-anchor': 'middle' }, words));
  }
  svg.setAttribute('aria-label', all.length === 0
    ? 'Chart of the time from revocation to effect: no revocation yet'
    : `Chart of the time from revocation to effect, ${several(all.length, 'revocation', 'revocations')}. ${summary.join('. ')}.`);
  svg.dataset.points = all.length;
  by('chart').replaceChildren(svg);
  drawLegend();
  drawTable(all);
  // Within one process there is one clock.
  const clocks = latest && !latest.agents ? '; by the clocks of registry and gateway' : '';
  say(by('chart-span'), all.length === 0 ? '' : `${several(all.length, 'revocation', 'revocations')}; dashed: median${clocks}`);
}

function drawLegend() {
  const create = ([, title, look, shape]) => {
    const icon = make('svg', { width: 12, height: 12, 'aria-hidden': 'true' });
    const dot = shape(6, 6);
    dot.setAttribute('class', look);
    icon.append(dot);
    return make('li', {}, icon, make('span', {}, title), make('span', { class: 'figure' }), make('span', { class: 'count' }));
  };
  sync(by('legend'), SERIES, ([name]) => name, create, (item, [name]) => {
    const found = figures(name);
    say(item.children[2], found ? ms(found.median) : '–');
    say(item.children[3], found ? `median; worst ${ms(found.worst)}` : 'none yet');
  });
}

function drawTable(all) {
  const latestFew = all.slice(-6).reverse();
  const create = () => make('tr', {}, ...Array.from({ length: 5 }, () => make('td')));
  sync(by('chart-rows'), latestFew, (point) => point.seq, create, (line, point) => {
    const cells = [clock(point.at_ms), brief(point.agent), ms(point.in_force_ms), ms(point.refused_ms), ms(point.cut_ms)];
    cells.forEach((words, at) => say(line.children[at], words));
  });
}
