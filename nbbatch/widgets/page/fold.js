// Whether a card shows its details: what a person chose, else what its state suggests.

function folding(id) {
  const chosen = {};
  const key = (done) => `nbbatch:${id}:${done ? "ended" : "live"}`;
  // Pages in a sandbox have no storage: then the choice lasts as long as the page.
  const stored = (done) => {
    try {
      return sessionStorage.getItem(key(done));
    } catch {
      return null;
    }
  };
  const keep = (done, value) => {
    try {
      sessionStorage.setItem(key(done), value);
    } catch {}
  };
  return {
    folded: (done) => {
      const choice = chosen[key(done)] ?? stored(done);
      return choice ? choice === "folded" : done;
    },
    choose: (done, folded) => {
      chosen[key(done)] = folded ? "folded" : "open";
      keep(done, chosen[key(done)]);
    },
  };
}
