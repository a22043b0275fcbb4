// One tray: pictures from files, folders, the camera and the clipboard. Each is sent by itself, so that
// one that does not arrive stops no other; the server then looks at all that arrived, in one event.
const door = element.querySelector(".door");
const status = door.querySelector(".door-status");
const input = door.querySelector("input[type=file]");
const panel = door.querySelector(".camera");
const video = panel.querySelector("video");
const MOST_BYTES = Number(door.dataset.mostBytes);
const AT_ONCE = 4; // requests
const PATIENCE_MS = 120000; // for one picture
let queue = [];
let sending = 0;
let sent = 0;
let asked = 0;
let arrived = []; // [place in the order in which they were added, path on the server], not yet looked at
let looking = 0; // pictures that the server looks at
let failed = []; // files that did not arrive
const NO_ANSWER = "Is the connection there?";
let why = NO_ANSWER; // the last of them did not
let left_out = []; // sentences
let shots = 0;

const tray = {
  place: element.closest(".tray"),
  moving: () => queue.length + sending + arrived.length + looking,
  missing: () => failed.length,
  add,
  tell,
};

function add(files) {
  if (!tray.moving()) [sent, asked, left_out] = [0, 0, []];
  for (const file of files) {
    if (file.size <= MOST_BYTES) {
      queue.push([asked, file]);
      asked += 1;
    } else {
      const [has, most] = [file.size, MOST_BYTES].map((bytes) => Math.round(bytes / 2 ** 20));
      left_out.push(`“${file.name}” has ${has} MB; ${most} MB is the most. Make the picture smaller and add it once more.`);
    }
  }
  pump();
}

function pump() {
  while (sending < AT_ONCE && queue.length) send(...queue.shift());
  hand_over();
  draw();
}

async function send(place, file) {
  sending += 1;
  try {
    const form = new FormData();
    form.append("files", file, file.name);
    const { root = "", api_prefix } = window.gradio_config;
    const answer = await fetch(`${root}${api_prefix}/upload`, {
      method: "POST", body: form, signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (!answer.ok) throw answer;
    const [path] = await answer.json();
    arrived.push([place, path]);
    sent += 1;
  } catch (refusal) {
    failed.push(file);
    const is_ours = refusal instanceof Response && refusal.headers.get("content-type")?.startsWith("text/plain");
    why = is_ours ? await refusal.text() : NO_ANSWER;
  }
  sending -= 1;
  pump();
}

function hand_over() {
  if (sending || queue.length || looking || !arrived.length) return;
  looking = arrived.length;
  const paths = arrived.sort(([a], [b]) => a - b).map(([, path]) => path);
  arrived = [];
  trigger("arrive", { paths });
}

function send_again() {
  const files = failed;
  failed = [];
  add(files);
}

function give_up() {
  failed = [];
  draw();
}

function line(kind, text, ...buttons) {
  const note = document.createElement("div");
  note.className = `note note-${kind}`;
  note.append(text);
  for (const [name, act] of buttons) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", act);
    note.append(" ", button);
  }
  return note;
}

function draw() {
  const { count } = window.trays;
  const lines = left_out.map((text) => line("warn", text));
  if (queue.length + sending) {
    lines.push(line("busy", `${sent} of ${count(asked, "picture")} ${sent === 1 ? "has" : "have"} arrived …`));
  } else if (looking) {
    lines.push(line("busy", `Looking at ${count(looking, "picture")} …`));
  }
  if (failed.length && !sending) {
    const names = failed.slice(0, 3).map((file) => `“${file.name}”`).join(", ");
    const more = failed.length > 3 ? ` and ${failed.length - 3} more` : "";
    lines.push(line("bad", `${count(failed.length, "picture")} did not arrive: ${names}${more}. ${why}`,
      ["Send again", send_again], ["Leave out", give_up]));
  }
  status.replaceChildren(...lines);
  window.trays.tell_train();
}

function file_of(blob, name) {
  return new File([blob], `${name}.${blob.type.split("/")[1]}`, { type: blob.type });
}

async function paste() {
  try {
    const blobs = [];
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((name) => name.startsWith("image/"));
      if (type) blobs.push(await item.getType(type));
    }
    if (blobs.length) add(blobs.map((blob, number) => file_of(blob, `pasted-${number + 1}`)));
    else tell("There is no picture on the clipboard. Copy one first.");
  } catch {
    tell("The browser did not let this page look at the clipboard. Press Ctrl+V (on a Mac ⌘V) instead.");
  }
}

function tell(text) {
  left_out = [text];
  draw();
}

async function open_camera() {
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    panel.hidden = false;
    await video.play();
  } catch (error) {
    close_camera();
    tell(error.name === "NotAllowedError"
      ? "This page is not allowed to use the camera. Allow it in the browser’s address bar, or add pictures from files."
      : "No camera could be opened. Another program may be using it; or add pictures from files.");
  }
}

function close_camera() {
  video.srcObject?.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
  panel.hidden = true;
}

function shoot() {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => blob && add([file_of(blob, `camera-${++shots}`)]), "image/jpeg", 0.92);
}

// A page on plain http has neither camera nor clipboard; a phone still has its own camera program.
function offer(button, act) {
  if (act) door.querySelector(button).addEventListener("click", act);
  else door.querySelector(button).hidden = true;
}

function choose_files(capture) {
  if (capture) input.setAttribute("capture", "environment");
  else input.removeAttribute("capture");
  input.click();
}

const by_program = matchMedia("(pointer: coarse)").matches && (() => choose_files(true));
offer(".door-add", () => choose_files(false));
offer(".door-camera", navigator.mediaDevices?.getUserMedia ? open_camera : by_program);
offer(".door-paste", navigator.clipboard?.read && paste);
panel.querySelector(".shoot").addEventListener("click", shoot);
panel.querySelector(".close").addEventListener("click", close_camera);
input.addEventListener("change", () => { add([...input.files]); input.value = ""; });
tray.place.addEventListener("pictures", (event) => add(event.detail));
watch("value", () => { looking = 0; hand_over(); draw(); });
window.trays.join(tray);
