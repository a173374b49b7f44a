// Small tools that every part of a page uses.
//
// Nothing from a job is ever parsed as HTML: every text goes in through textContent. Nothing is
// written that stands there already: a page with many cards is redrawn several times a second.

const SVG = "http://www.w3.org/2000/svg";

function h(tag, { className = "", ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// An element of a drawing, with its attributes and children.
function svgElement(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function svgIcon(className, path) {
  const shape = { viewBox: "0 0 16 16", class: `nbb-icon ${className}`, "aria-hidden": "true" };
  return svgElement("svg", shape, svgElement("path", { d: path }));
}

function textButton(className, text, title, act) {
  const element = h("button", { type: "button", className: `nbb-button ${className}`, title }, text);
  element.addEventListener("click", act);
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function hide(element, hidden) {
  if (element.hidden !== hidden) element.hidden = hidden;
}

// A text that is not there takes no room.
function say(element, text) {
  setText(element, text);
  hide(element, !text);
}

function setAttr(element, attribute, value) {
  if (element.getAttribute(attribute) !== value) element.setAttribute(attribute, value);
}

function setStyle(element, property, value) {
  if (element.style.getPropertyValue(property) !== value) {
    element.style.setProperty(property, value);
  }
}

// Reuse the children that are there, so that focus and hover outlive a redraw.
function fitChildren(element, count, make) {
  while (element.children.length > count) element.lastChild.remove();
  while (element.children.length < count) element.append(make());
  return [...element.children];
}

function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} m`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

// Both ends of a long name say something: a registry and a tag, a prefix and a number.
function shortened(text, limit) {
  if (text.length <= limit) return text;
  const tail = Math.floor(limit * 0.55);
  return `${text.slice(0, limit - tail - 1)}…${text.slice(-tail)}`;
}

function webAddress(text) {
  return /^https?:\/\//i.test(text ?? "") ? text : "";
}

function outward(className, text, title) {
  const blank = { target: "_blank", rel: "noopener noreferrer" };
  return h("a", { className: `nbb-link ${className}`, title, ...blank }, text);
}

// The clipboard proper exists only in secure pages, and many a JupyterLab is served over http.
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = h("textarea", { className: "nbb-aside" });
    field.value = text;
    const focused = document.activeElement;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    focused?.focus?.();
    return done;
  }
}
