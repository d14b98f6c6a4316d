"""Bad wifi: what was typed, chosen and painted meanwhile is neither taken back nor lost, and goes into the run."""

from __future__ import annotations

import json

from playwright.sync_api import BrowserContext, Page, expect

from tests.support.scripts import ask
from tests.ui.drawing import drag, taken
from tests.ui.lab import Lab
from tests.ui.notebook import PATIENCE, Notebook

EDITOR = """
import ipywidgets, json, ttapi_nb as tt
count = ipywidgets.Label("asked 0")
asked = []
def fill(image, mask, prompt, seed):
    asked.append(prompt)
    count.value = f"asked {len(asked)}"
    return image
editor = tt.ImageEditor(tt.sample(), client=tt.Client.offline(fill=fill), log=False)
ipywidgets.VBox([editor, count])
"""
SHOW = """
print(json.dumps([asked, editor.size, len(editor.current.request.mask.marks), editor.strict]))
"""
# Kernels' sockets, which a test can drop as a bad line does.
SOCKETS = """
  const sockets = [];
  window.WebSocket = class extends WebSocket {
    constructor(...given) { super(...given); sockets.push(this); }
  };
  window.dropAll = () => sockets.splice(0).filter(({ url }) => url.includes("/channels")).forEach((one) => one.close());
"""
# What prompts came when the state of all widgets was read anew.
WATCH = """() => {
  window.readAnew = [];
  const parse = JSON.parse;
  JSON.parse = (...given) => {
    const parsed = parse(...given);
    const states = parsed?.data?.method === "update_states" ? parsed.data.states : {};
    const prompts = Object.values(states).filter(({ state }) => state.placeholder?.startsWith("What the result"));
    readAnew.push(...prompts.map(({ state }) => state.value));
    return parsed;
  };
}"""
# A manager that reads all state anew, and a model as ipywidgets has them, as far as it counts here.
MODEL = """
  const watchers = [];
  window.manager = { _kernelRestoreInProgress: false, restored: { connect: (hear) => watchers.push(hear) },
    get_model: async () => window.model };
  window.told = [];
  window.model = {
    attributes: { value: "", size: "auto" }, changed: {}, listeners: [],
    comm_live: true, widget_manager: window.manager,
    _pending_msgs: 0, _msg_buffer: null, _expectedEchoMsgIds: new Map(),
    get(name) { return this.attributes[name]; },
    on(_, hear) { this.listeners.push(hear); },
    changedAttributes() { return this.changed; },
    set_state(state) { this.change(state); },
    save(values) { window.told.push(values); },
    change(values) {
      this.changed = Object.fromEntries(Object.entries(values).filter(([name, one]) => this.attributes[name] !== one));
      Object.assign(this.attributes, this.changed);
      for (const hear of this.listeners) hear();
    },
    // A person does something: it is told, and not answered yet.
    type(value) { this.change({ value }); this._pending_msgs = 1; this._expectedEchoMsgIds.set("value", "id"); },
    answer() { this._pending_msgs = 0; this._expectedEchoMsgIds.clear(); },
    read(value, size) { this.set_state({ _model_name: "m", _view_name: "v", value, size }); },
  };
  window.restore = (on) => {
    window.manager._kernelRestoreInProgress = on;
    if (!on) watchers.forEach((hear) => hear());
  };
"""


def state(scripts: Page, act: str) -> list[str]:
    """What a model has after `act`."""
    scripts.evaluate(act)
    return list(scripts.evaluate("[model.get('value'), model.get('size')]"))


def test_state_that_is_older_is_left_out(scripts: Page) -> None:
    """State that is read anew fills in what was missed, and never what was typed, or told, after it was asked for."""
    ask(scripts, "keeping.js", MODEL + "return it.keepAll(window.manager, 'any')")
    assert state(scripts, "restore(true); model.read('a', '512x512'); restore(false)") == ["a", "512x512"]
    # Typed before and not answered.
    assert state(scripts, "model.type('ab'); restore(true); model.read('', 'auto'); restore(false)") == [
        "ab",
        "auto",
    ]
    # Answered, and typed on while it is being read.
    typed = "model.answer(); restore(true); model.type('abc'); model.answer(); model.read('ab', 'auto')"
    assert state(scripts, typed) == ["abc", "auto"]
    # An update is none of that: the kernel says something new.
    assert state(scripts, "restore(false); model.set_state({ value: 'new' })") == ["new", "auto"]
    # And the next time all is read as it is.
    assert state(scripts, "restore(true); model.read('later', 'auto'); restore(false)") == ["later", "auto"]


def test_what_was_lost_with_the_line_is_told_again(scripts: Page) -> None:
    """A value that has no answer three seconds after the line is back is told once more; an answered one is not."""
    ask(scripts, "keeping.js", MODEL + "return it.keepAll(window.manager, 'any')")
    again = "restore(true); model.read('', 'auto'); restore(false)"
    scripts.evaluate(f"model.type('ab'); {again}")
    scripts.clock.run_for(2_999)
    assert scripts.evaluate("told") == []
    scripts.clock.run_for(1)
    assert scripts.evaluate("[told, model._pending_msgs]") == [[{"value": "ab"}], 0]
    scripts.evaluate(f"model.type('abc'); {again}; model.answer()")
    scripts.clock.run_for(10_000)
    assert len(scripts.evaluate("told")) == 1


def test_a_line_that_drops_while_one_types(lab: Lab, context: BrowserContext) -> None:
    """Typed, chosen and painted while the line drops and comes back: all of it stays, and is what the run asks for."""
    context.add_init_script(SOCKETS)
    book = Notebook.opened(context.new_page(), lab, "reconnect.ipynb", [EDITOR, SHOW])
    page = book.page
    book.run(0)
    drag(page, (200, 200), (400, 200))
    taken(book)
    page.evaluate(WATCH)
    book.prompt.click()
    text = ""
    for word in ("a teal bowl on ", *["slate "] * 100):
        if text.endswith("on "):
            page.evaluate("dropAll()")
        page.keyboard.type(word, delay=2)
        text += word
        if page.evaluate("readAnew.length"):
            break
    drag(page, (200, 500), (400, 500))
    book.pick("Size", "1024 × 1024")
    page.get_by_label("Keep what is outside the mask").uncheck()
    book.prompt.focus()
    page.evaluate("dropAll()")
    page.keyboard.press("End")
    page.keyboard.type("in the light", delay=2)
    text += "in the light"
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("asked 1", exact=True)).to_be_visible(timeout=PATIENCE)
    expect(book.prompt).to_have_value(text)
    # It was put to the test: the state that came was older than what was typed.
    assert any(text.startswith(value) and value != text for value in page.evaluate("readAnew"))
    assert json.loads(book.run(1)) == [[text], "1024x1024", 2, False]
