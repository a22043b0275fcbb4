// Strokes are kept as lists of points and drawn again at every change: that makes undo one pop.
const pad = element.querySelector(".pad");
const canvas = pad.querySelector("canvas");
const context = canvas.getContext("2d");
const pens = [...pad.querySelectorAll(".pen")];
let strokes = [];
let count = 0;
let colour;

function choose(pen) {
  colour = pen.dataset.colour;
  pens.forEach((other) => other.setAttribute("aria-pressed", other === pen));
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  const scale = canvas.width / box.width;
  return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
}

function redraw() {
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = 10;
  for (const stroke of strokes) {
    context.strokeStyle = stroke.colour;
    context.beginPath();
    stroke.points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y + 0.1)));
    context.lineTo(...stroke.points.at(-1));
    context.stroke();
  }
  pad.classList.toggle("blank", strokes.length === 0);
}

function send(blob) {
  const drawing = new File([blob], `drawing-${++count}.png`, { type: "image/png" });
  const tray = document.querySelector(`#${pad.dataset.gallery}-tray`);
  tray.dispatchEvent(new CustomEvent("pictures", { detail: [drawing] }));
  strokes = [];
  redraw();
}

pens.forEach((pen) => pen.addEventListener("click", () => choose(pen)));
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  strokes.push({ colour, points: [place(event)] });
  redraw();
});
canvas.addEventListener("pointermove", (event) => {
  if (!canvas.hasPointerCapture(event.pointerId)) return;
  strokes.at(-1).points.push(...(event.getCoalescedEvents?.() ?? [event]).map(place));
  redraw();
});
pad.querySelector(".undo").addEventListener("click", () => { strokes.pop(); redraw(); });
pad.querySelector(".clear").addEventListener("click", () => { strokes = []; redraw(); });
pad.querySelector(".use").addEventListener("click", () => strokes.length && canvas.toBlob(send));
choose(pens[0]);
redraw();
