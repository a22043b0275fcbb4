// All trays of the page. Whatever is dropped or pasted anywhere lands in one of them, so that a missed
// drop never leaves the page; and Train waits for pictures that are still on their way. In the head of
// the page, as a person may drop pictures before the page has built its trays.
window.trays = (() => {
  const trays = new Set();
  const SYSTEM_FILE = /^(\..*|thumbs\.db|desktop\.ini)$/i;
  let active; // the tray that was used last
  let own_drag = false; // something of the page itself is dragged
  let train_waits = false;
  let early = null; // what was dropped before there was a tray

  const shown = () => [...trays].filter((tray) => tray.place.getClientRects().length);
  // Links would leave the page; WebKitGTK calls files so, and keeps them back.
  const KINDS = ["Files", "text/uri-list"];
  const is_caught = (event) => KINDS.some((kind) => event.dataTransfer?.types.includes(kind));

  function distance(tray, event) {
    const box = tray.place.getBoundingClientRect();
    const across = Math.max(box.left - event.clientX, 0, event.clientX - box.right);
    return Math.hypot(across, Math.max(box.top - event.clientY, 0, event.clientY - box.bottom));
  }

  function nearest(event) {
    return shown().sort((a, b) => distance(a, event) - distance(b, event))[0];
  }

  function light(lit) {
    trays.forEach((tray) => tray.place.classList.toggle("tray-lit", tray === lit));
  }

  // Entries must be taken from the event at once; what is in folders is read afterwards.
  async function dropped_files(transfer) {
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
    return (await Promise.all(entries.map((entry) => entry_files(entry, false)))).flat();
  }

  async function entry_files(entry, in_folder) {
    if (in_folder && SYSTEM_FILE.test(entry.name)) return [];
    if (entry.isFile) {
      const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
      const other = in_folder && file?.type && !file.type.startsWith("image/");
      return file && !other ? [file] : [];
    }
    const reader = entry.createReader();
    const found = [];
    for (;;) { // a reader gives at most a hundred entries at a time
      const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
      if (!some.length) break;
      found.push(...some);
    }
    found.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
    return (await Promise.all(found.map((inner) => entry_files(inner, true)))).flat();
  }

  const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

  function tell_train() {
    const moving = shown().some((tray) => tray.moving());
    const note = document.querySelector("#train-waits");
    if (note) note.hidden = !(train_waits && moving);
    if (train_waits && !moving) {
      train_waits = false;
      setTimeout(() => document.querySelector("#train")?.click(), 50); // the gallery comes with the same update
    }
  }

  addEventListener("dragstart", () => { own_drag = true; }, true);
  addEventListener("dragend", () => { own_drag = false; light(null); }, true);
  for (const name of ["dragenter", "dragover"]) {
    addEventListener(name, (event) => {
      if (own_drag || !is_caught(event)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      event.dataTransfer.dropEffect = "copy";
      light(nearest(event));
    }, true);
  }
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) light(null); }, true);
  addEventListener("drop", async (event) => {
    light(null);
    if (own_drag || !is_caught(event)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const tray = nearest(event);
    const files = await dropped_files(event.dataTransfer);
    if (!tray) early = files;
    else if (files.length) tray.add(files);
    else tray.tell("What was dropped came without a picture. Press “Add pictures” and choose one there.");
  }, true);
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return; // text, for a field
    event.preventDefault();
    const tray = shown().includes(active) ? active : shown()[0];
    tray?.add(files);
  }, true);
  addEventListener("click", (event) => {
    active = [...trays].find((tray) => tray.place.contains(event.target)) ?? active;
    if (!event.target.closest?.("#train")) return;
    const missing = shown().find((tray) => tray.missing());
    const moving = shown().some((tray) => tray.moving());
    if (!missing && !moving) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (moving) train_waits = true;
    else missing.place.querySelector(".door-status").scrollIntoView({ block: "center" });
    tell_train();
  }, true);

  function join(tray) {
    trays.add(tray);
    if (early) tray.add(early);
    early = null;
  }

  return { join, tell_train, count };
})();
