'use strict';
// Whatever comes from outside becomes text, never markup: elements are made here, and get their words by textContent.

const by = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const svg = ['svg', 'g', 'line', 'path', 'text', 'title', 'rect', 'circle'].includes(tag);
  const element = svg ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// Only what changes is touched, so that neither focus nor selection is lost.
function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

function mark(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function several(count, one, many) {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}

function ms(value) {
  if (value === null || value === undefined) return '–';
  if (value < 10) return `${value.toFixed(2)} ms`;
  if (value < 1000) return `${value.toFixed(0)} ms`;
  if (value < 60000) return `${(value / 1000).toFixed(1)} s`;
  return span(value);
}

// A length of time as a person would say it.
function span(value) {
  const seconds = Math.round(value / 1000);
  if (seconds < 120) return `${seconds}\u00a0s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}\u00a0min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)}\u00a0h`;
  return `${Math.floor(seconds / 86400)}\u00a0days`;
}

function ago(value) {
  return value < 1500 ? 'just now' : `${span(value)} ago`;
}

function bytes(value) {
  if (value < 1000) return `${value} B`;
  return value < 1e6 ? `${(value / 1e3).toFixed(1)} kB` : `${(value / 1e6).toFixed(1)} MB`;
}

function clock(at, fraction) {
  const time = new Date(at).toLocaleTimeString('en-GB', { hour12: false });
  return fraction ? `${time}.${String(Math.floor(at) % 1000).padStart(3, '0')}` : time;
}

// The end of a DID is what tells agents apart, and what the registry's routes take.
function brief(did) {
  const found = /^did:cdi:[a-z0-9.-]+:agent:([0-9A-Z]{26})$/.exec(did || '');
  return found ? found[1] : did || '';
}

// Keeps the elements of a list in step with the things that it shows, by their keys.
function sync(list, things, key, create, update) {
  const old = new Map([...list.children].map((child) => [child.dataset.key, child]));
  let place = list.firstElementChild;
  for (const thing of things) {
    const name = String(key(thing));
    let child = old.get(name);
    if (child) {
      old.delete(name);
    } else {
      child = create(thing);
      child.dataset.key = name;
    }
    if (child !== place) list.insertBefore(child, place);
    else place = place.nextElementSibling;
    update(child, thing);
  }
  for (const child of old.values()) child.remove();
}
