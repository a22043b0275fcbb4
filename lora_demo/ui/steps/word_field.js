// A combobox with list autocomplete and manual selection, as the ARIA Authoring Practices have it:
// an option is taken only if it was clicked, or highlighted with the arrow keys.
const MOST = 30; // matches in the list
const PAGE = 6; // options that Page Up and Page Down go
const field = element.querySelector(".word-field");
const [input, list, status] = field.children;
const tidy = (text) => text.normalize("NFKC").trim().replace(/\s+/g, " ");
const plain = (text) => tidy(text.replaceAll("_", " ")).toLowerCase();
const spaced = (text) => plain(text).replace(/[^\p{L}\p{M}\p{N}]+/gu, " ").trim();
const known = props.words.map((word) => ({ word, plain: plain(word), key: ` ${spaced(word)} ` }));
let shown = ""; // the committed word as it was last written into the field
let offered = []; // what the options stand for
let highlighted = -1; // of the options; -1 is the text itself

list.id = `${element.id}-list`;
input.setAttribute("aria-controls", list.id);

// What the text means: one of the words, case, underscores and spaces forgiven, or a new one.
function meant(text) {
  const same = known.filter((entry) => entry.plain === plain(text)).map((entry) => entry.word);
  return same.includes(tidy(text)) ? tidy(text) : (same[0] ?? tidy(text));
}

// Whole words first, then names that begin with it, then words that do, then words that end so.
function matches(text) {
  const key = spaced(text);
  if (!key) return [];
  const ranks = [
    (name) => name.includes(` ${key} `),
    (name) => name.startsWith(` ${key}`),
    (name) => name.includes(` ${key}`),
    (name) => key.length > 2 && name.includes(`${key} `),
  ];
  const found = ranks.flatMap((fits) => known.filter((entry) => fits(entry.key)));
  return [...new Set(found.map((entry) => entry.word))].slice(0, MOST);
}

function option(word, number) {
  const item = document.createElement("li");
  item.id = `${list.id}-${number}`;
  item.setAttribute("role", "option");
  if (props.words.includes(word)) item.textContent = word;
  else {
    const itself = document.createElement("bdi"); // whichever way its script runs
    itself.textContent = word;
    item.append("“", itself, "” as a new word");
  }
  return item;
}

function open() {
  const word = meant(input.value);
  const found = word ? matches(word).filter((other) => other !== word) : props.words;
  offered = word ? [word, ...found] : found;
  list.replaceChildren(...offered.map(option));
  status.textContent = `Words found: ${offered.filter((word) => props.words.includes(word)).length}.`;
  input.setAttribute("aria-expanded", "true");
  highlight(-1);
  if (!list.hidden) return;
  list.hidden = false;
  list.scrollIntoView({ block: "nearest" });
}

function close() {
  list.hidden = true;
  input.setAttribute("aria-expanded", "false");
  status.textContent = "";
  highlight(-1);
}

function highlight(number) {
  list.children[highlighted]?.removeAttribute("aria-selected");
  highlighted = number;
  const item = list.children[number];
  if (item) {
    item.setAttribute("aria-selected", "true");
    input.setAttribute("aria-activedescendant", item.id);
    item.scrollIntoView({ block: "nearest" });
  } else input.removeAttribute("aria-activedescendant");
}

function show(word) {
  close();
  input.value = shown = word;
}

function commit(word) {
  show(word);
  if (word !== (props.value ?? "")) props.value = word;
}

const changed = () => input.value !== shown;
const leave = () => (changed() ? commit(meant(input.value)) : close());
// Before the press counts: a button that reads the field is to find the word there.
const pressed = (event) => element.contains(event.target) || leave();

function move(key) {
  if (list.hidden) open();
  const last = list.children.length - 1;
  const within = (number) => Math.max(0, Math.min(last, number));
  const round = (number) => (number > last ? -1 : number < -1 ? last : number);
  highlight(
    {
      ArrowDown: round(highlighted + 1),
      ArrowUp: round(highlighted - 1),
      PageDown: within(highlighted + PAGE),
      PageUp: within(highlighted - PAGE),
      Home: 0,
      End: last,
    }[key],
  );
}

input.addEventListener("input", () => (input.value ? open() : close()));
input.addEventListener("keydown", (event) => {
  const { key } = event;
  if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey) return;
  if (key === "Enter") commit(offered[highlighted] ?? meant(input.value));
  else if (key === "Escape") show(props.value ?? "");
  else if (event.altKey && key === "ArrowDown") open();
  else if (event.altKey && key === "ArrowUp") close();
  else if (["ArrowDown", "ArrowUp"].includes(key)) move(key);
  else if (["PageDown", "PageUp", "Home", "End"].includes(key) && highlighted >= 0) move(key);
  else {
    if (["ArrowLeft", "ArrowRight"].includes(key)) highlight(-1);
    return;
  }
  event.preventDefault();
});
input.addEventListener("pointerdown", () => {
  if (document.activeElement === input) return;
  // What is there gives way to what is typed next; a second click places the caret.
  input.addEventListener("click", () => input.select(), { once: true });
});
input.addEventListener("click", () => input.value || open());
input.addEventListener("focus", () => {
  for (const type of ["pointerdown", "click"]) document.addEventListener(type, pressed, true);
});
input.addEventListener("blur", () => {
  if (document.activeElement === input) return; // the whole window was left, in the middle of it
  for (const type of ["pointerdown", "click"]) document.removeEventListener(type, pressed, true);
  leave();
});
list.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
list.addEventListener("click", (event) => {
  const item = event.target.closest("li");
  if (!item) return;
  commit(offered[[...list.children].indexOf(item)]);
  if (matchMedia("(pointer: coarse)").matches) input.blur(); // puts the keyboard away
});
watch("value", () => changed() || show(props.value ?? ""));
show(props.value ?? "");
