// What the page says to the kernel, and what it hears back.

const ACK_MS = 350;
const ANSWER_MS = 8000;

// A kernel that runs a cell may not look at comm messages until it ends. The cell that waits for
// this job looks at answers to input(), so what is said goes there, too (see door.py).
function tellKernel(model, message) {
  model.send(message);
  if (!model.get("blocking")) return;
  const value = JSON.stringify({ nbbatch: { ...message, key: model.get("key") } });
  model.widget_manager?.kernel?.sendInputReply?.({ status: "ok", value }, { msg_id: "" });
}

// Where there is no such channel and no answer to a click, an interrupt is left, which the cell
// takes as "cancel".
function asker(model, hint) {
  return (ask) => {
    try {
      tellKernel(model, { ask });
    } catch {
      return hint("The kernel is gone.");
    }
    const later = (act) => setTimeout(() => {
      if (model.get("asked") !== ask && model.get("blocking")) act();
    }, ACK_MS);
    // In two steps: a page that stood still for a while first hears what has come meanwhile.
    later(() => later(() => {
      const kernel = model.widget_manager?.kernel;
      if (ask === "cancel" && kernel?.interrupt) kernel.interrupt();
      else hint("The kernel is busy: press Stop (■) to cancel.");
    }));
  };
}

// Questions that the kernel answers by a message with the same id.
class Requests {
  waiting = new Map(); // id -> what to do with the answer
  page = Math.random().toString(36).slice(2);
  number = 0;

  ask(model, message, patience = ANSWER_MS) {
    const id = `${this.page}-${++this.number}`;
    return new Promise((resolve, reject) => {
      const settle = (finish, value) => {
        clearTimeout(timer);
        this.waiting.delete(id);
        finish(value);
      };
      const fail = (text) => settle(reject, new Error(text));
      const timer = setTimeout(() => fail("the kernel is busy and does not answer"), patience);
      this.waiting.set(id, (answer) =>
        answer.error ? fail(answer.error) : settle(resolve, answer));
      try {
        tellKernel(model, { ...message, id });
      } catch {
        fail("the kernel is gone");
      }
    });
  }

  hear(message, buffers) {
    this.waiting.get(message.id)?.({ ...message, buffers });
  }
}
