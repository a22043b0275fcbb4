/* Read the secret of this tab. A copied tab (“Duplicate”, window.open) has a copy of the secret, too:
   where another living page holds the same one, this page drops it and begins anew. */
async (key, forgotten, wait_ms) => {
  const held = () => sessionStorage.getItem(key);
  const me = { born: performance.timeOrigin, id: Math.random() };
  let settled = false;
  let others;
  try {
    held();
    others = new BroadcastChannel(key);
  } catch {
    return null; // this browser keeps nothing
  }
  addEventListener("pagehide", () => others.close());
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());

  const is_taken = new Promise((decide) => {
    others.onmessage = ({ data }) => {
      if (data.secret !== held()) return;
      const is_first = (me.born - data.born || me.id - data.id) < 0; // of two that ask at a time
      if (data.answer_to === me.id) {
        decide(true);
        if (settled) begin_anew(); // the other page slept, and answers late
      } else if (!data.answer_to && (settled || is_first)) {
        others.postMessage({ secret: held(), answer_to: data.id });
      } else if (!data.answer_to) {
        decide(true);
      }
    };
    setTimeout(() => decide(false), wait_ms);
  });
  const begin_anew = () => {
    sessionStorage.removeItem(key);
    location.reload();
  };

  if (held() && held() !== forgotten) {
    others.postMessage({ ...me, secret: held() });
    if (await is_taken) sessionStorage.removeItem(key);
  }
  settled = true;
  return held();
}
