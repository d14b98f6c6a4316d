// What a person typed, chose or painted stays when a page finds its kernel again. ipywidgets then reads the state of all
// widgets anew and puts it over what is here, though that state is as old as the question: what changed since is newer.
// Of ipywidgets' inside this leans on what says that a message is on its way; where it has none of it, nothing is kept.

const ANSWER_PATIENCE = 3_000; // milliseconds for an answer, after a line was found again, until it counts as lost

const kept = new WeakSet();

// The id of the widget that a value stands for, or nothing.
export function unpacked(value) {
  return typeof value === "string" && value.startsWith("IPY_MODEL_") ? value.slice("IPY_MODEL_".length) : undefined;
}

// All of a model's state, as it comes when a kernel is found again; an update has only what changed.
const isWhole = (state) => "_model_name" in state && "_view_name" in state;

// Told, and not answered: the kernel may not know it yet.
function isOnItsWay(model, name) {
  return Boolean(model._msg_buffer && name in model._msg_buffer)
    || Boolean(model._pending_msgs && model._expectedEchoMsgIds?.has(name));
}

// An answer that was lost with the line would hold up all that is told after it.
function tellAgain(model, names) {
  if (!model.comm_live || !names.some((name) => isOnItsWay(model, name))) return;
  [model._pending_msgs, model._msg_buffer] = [0, null];
  model.save(Object.fromEntries(names.map((name) => [name, model.get(name)])), { patch: true });
}

function keep(model) {
  if (kept.has(model) || typeof model.set_state !== "function") return false;
  kept.add(model);
  const manager = model.widget_manager;
  const isRead = () => Boolean(manager?._kernelRestoreInProgress);
  const set = model.set_state;
  const changed = new Set(); // since the state was asked for
  let isNew = isRead(); // made while the state was on its way: all that it has is newer
  manager?.restored?.connect?.(() => {
    changed.clear();
    isNew = false;
  });
  model.on("change", () => {
    if (isRead()) for (const name of Object.keys(model.changedAttributes() || {})) changed.add(name);
  });
  model.set_state = (state) => {
    if (!isWhole(state)) {
      set.call(model, state);
      return;
    }
    if (isNew && isRead()) return;
    const told = Object.keys(state).filter((name) => isOnItsWay(model, name));
    const newer = new Set([...told, ...changed]);
    set.call(model, Object.fromEntries(Object.entries(state).filter(([name]) => !newer.has(name))));
    if (told.length) setTimeout(tellAgain, ANSWER_PATIENCE, model, told);
  };
  return true;
}

// Keeps what is in the widget of this id, and in all that it holds, now and later.
export async function keepAll(manager, id) {
  const visit = (model) => {
    if (!keep(model)) return;
    const look = (values) => values.flat().forEach((value) => {
      if (value?.set_state) visit(value);
      else if (unpacked(value)) manager.get_model(unpacked(value)).then(visit, () => {});
    });
    look(Object.values(model.attributes));
    model.on("change", () => look(Object.values(model.changedAttributes() || {})));
  };
  if (id) visit(await manager.get_model(id));
}
