// What a click causes is to be seen: unless all from `first` to `last` is in view, with `room` pixels
// below for what is still to come, `first` goes to the top.
window.reveal = (first, last, room) => {
  const [top, bottom] = [first, last].map((selector) => document.querySelector(selector));
  if (!top || !bottom) return;
  const end = bottom.getBoundingClientRect().bottom + room;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (top.getBoundingClientRect().top >= 0 && end <= innerHeight) return;
  top.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
};
