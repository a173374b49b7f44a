// The plain form in a card's place, put there by the page itself.
//
// The kernel replaces the output of a page that was there when the cell ran. A page that was
// loaded later gets nothing of that, nor does any page once its kernel has been restarted; what
// would be saved then is a view of a widget that is gone. JupyterLab's pages can reach the
// notebook that they show; elsewhere nothing happens.

const WIDGET = "application/vnd.jupyter.widget-view+json";

function leave(model) {
  const { id, data } = model.get("left") ?? {};
  const cells = model.widget_manager?.context?.model?.cells;
  if (!data || !cells) return false;
  let found = false;
  for (const { outputs } of cells) {
    for (let i = 0; i < (outputs?.length ?? 0); i++) {
      if (outputs.get(i).data[WIDGET]?.model_id !== id) continue;
      outputs.set(i, { output_type: "display_data", data, metadata: {} });
      found = true;
    }
  }
  return found;
}

function leaving(model) {
  // Where the kernel can, it has replaced the output by then.
  const ended = () => model.get("left").final && setTimeout(() => leave(model), 500);
  const lost = () => {
    if (!model.get("left").final) leave(model);
  };
  const events = [["change:left", ended], ["comm_live_update", lost]];
  for (const [name, react] of events) model.on(name, react);
  if (model.get("left")?.final) leave(model);
  return () => {
    for (const [name, react] of events) model.off(name, react);
  };
}
