// Clicks on their way to the kernel.

const ACK_MS = 700;

// A kernel that runs a cell may not look at comm messages until it ends. The cell that waits for
// this job looks at answers to input(), so the click goes there, too (see door.py). Where there
// is no such channel and no answer, an interrupt is left, which that cell takes as "cancel".
function asker(model, hint) {
  return (ask) => {
    try {
      model.send({ ask });
    } catch {
      return hint("The kernel is gone.");
    }
    if (!model.get("blocking")) return;
    const kernel = model.widget_manager?.kernel;
    const value = JSON.stringify({ nbbatch: { key: model.get("key"), ask } });
    kernel?.sendInputReply?.({ status: "ok", value }, { msg_id: "" });
    setTimeout(() => {
      if (model.get("asked") === ask || !model.get("blocking")) return;
      if (ask === "cancel" && kernel?.interrupt) kernel.interrupt();
      else hint("The kernel is busy: press Stop (■) to cancel.");
    }, ACK_MS);
  };
}
