// What a click causes is to be seen: unless all from `first` to `last` is in view, `first` goes to the top.
window.reveal = (first, last) => {
  const [top, bottom] = [first, last].map((selector) => document.querySelector(selector));
  if (!top || !bottom) return;
  const seen = top.getBoundingClientRect().top >= 0 && bottom.getBoundingClientRect().bottom <= innerHeight;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (!seen) top.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
};
