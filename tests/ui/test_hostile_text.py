"""What users and servers write is text wherever it is shown: no script in it is ever run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.server import Reply, Request, Server, encoded, json_reply, pictures
from tests.ui.notebook import PATIENCE, Notebook
from tests.ui.paid import paid_editor, sample_of

Opened = Callable[..., Notebook]

# Each runs RAN in a page that takes it for HTML, but for those that need a second decoding or a click.
RAN = "top.ran.push(1)"
PAYLOADS = (
    f"<script>{RAN}</script>",
    f'<img src=x onerror="{RAN}">',
    f'"><img src=x onerror="{RAN}">',
    f"'><svg onload={RAN}>",
    f"</textarea><img src=x onerror={RAN}>",
    f"</title></style></script><img src=x onerror={RAN}>",
    f"<svg><script>{RAN}</script></svg>",
    f'<iframe srcdoc="<script>{RAN}</script>"></iframe>',
    f'<iframe src="javascript:{RAN}"></iframe>',
    f"<details open ontoggle={RAN}>",
    f"<video><source onerror={RAN}></video>",
    f"<input autofocus onfocus={RAN}>",
    f'" autofocus onfocus="{RAN}',
    f"' onmouseover='{RAN}' x='",
    f'<a href="javascript:{RAN}">x</a> [x](javascript:{RAN})',
    f"$\\href{{javascript:{RAN}}}{{x}}$",
    f"&lt;img src=x onerror={RAN}&gt;",
    f"&amp;lt;script&amp;gt;{RAN}&amp;lt;/script&amp;gt;",
    f"\x1b[31m<img src=x onerror={RAN}>\x1b[0m\u202e",
    f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror={RAN}&gt;'>",
    f"<!--><img src=x onerror={RAN}>-->",
)
assert len(PAYLOADS) > 20

# The server knows from the prompt what to do. What it writes is shown by the viewer, the status and the history.
GOOD, URL, REFUSED = "good ", "url ", "refused "

SHOW = """
import io, itertools, pathlib, tempfile
from IPython.display import display
from PIL import Image

payloads = iter(json.loads(PAYLOADS))
folder = pathlib.Path(tempfile.mkdtemp())
other = tt.ImageEditor(client=tt.Client.offline(), log=log)
display(other)
def ended(prompt):
    editor.prompt = prompt
    try:
        return editor.run().wait(30)
    except tt.TTAPIError as error:
        display(error, str(error))
        return editor.current
"""
STEP = """
payload = next(payloads)
photo = tt.open_image(Image.effect_noise((256, 256), 40).convert("RGB"), name=payload)
editor.image, editor.references = photo, (photo,)
editor.options = {"user": payload}
editor.mask = tt.Mask((256, 256)).rectangle((9, 9, 99, 99))
editor.history.unfolded = True
for kind in ("url ", "refused ", "good "):
    run = ended(kind + payload)
    display(run, run.request, repr(run))
editor.viewer.notes = {editor.viewer.index: payload}
editor.viewer.starred = (editor.viewer.index,)
result = run.results[0]
display(result, result.lineage, result.data, run.response, photo, editor.mask, log.rows(), editor.viewer)
# Its photo is nowhere to be found from its file: the editor says what it was called.
other.image = None
other.restore(result.save(folder / f"{len(list(folder.iterdir()))}.png"))
display(tt.Budget(images=1, prices=tt.PriceTable({"gpt-image-1.5": 1}, currency=payload)))
named = "".join(letter for letter in payload if letter.isprintable() and letter != "/")[:80]
recording = tt.Client.record(folder / (named + ".zip"), base_url=client.core.way.base_url)
display(recording, recording.words, tt.ImageEditor(photo, client=recording, log=False, prompt=payload))
%xmode Verbose
get_ipython().showtraceback((tt.TTAPIError, tt.TTAPIError(payload), None))
"""


def answer(request: Request) -> Reply:
    """Whatever the prompt asks for, with the payload in every word of it."""
    kind, payload = request.json["prompt"].split(" ", 1)
    if f"{kind} " == REFUSED:
        error = {"message": payload, "code": payload, "param": payload, "type": payload}
        return json_reply({"error": error}, 400, headers={"X-Said": "x"})
    reply: dict[str, Any] = pictures(Image.new("RGB", (256, 256), "teal"))
    if f"{kind} " == URL:
        reply["data"].append({"url": f"https://{payload}", "revised_prompt": payload})
    reply["data"][0]["revised_prompt"] = payload
    return json_reply(reply)


@pytest.fixture
def watched(page: Page) -> Page:
    """The page, with `ran` in every frame of it, where a script of a payload would leave a trace."""
    page.add_init_script("if (top === window) window.ran = window.ran || []")
    return page


def traces(page: Page) -> int:
    """How many scripts of payloads ran, and how many links would run one."""
    ran: int = page.evaluate("window.ran.length")
    links = page.locator("a[href^='javascript:'], iframe[src^='javascript:'], iframe[srcdoc]").count()
    return ran + links


def test_no_script_is_run(
    watched: Page,
    own_notebook: Opened,
    server: Server,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Names, prompts, notes, options, answers, errors and files that are scripts: all are shown, none is run.

    Shown as HTML on purpose, most of them do run there: looking for their traces means something.
    """
    server.answer = answer
    chosen = sample_of(PAYLOADS, 7)
    setup = f"import json\nPAYLOADS = {json.dumps(json.dumps(chosen))}\n{SHOW}"
    show = f"from IPython.display import HTML, display\nfor one in {PAYLOADS!r}:\n    display(HTML(one))"
    book = own_notebook(paid_editor(server, tmp_path), setup, STEP, show)
    book.run(0)
    book.run(1)
    page = book.page
    for payload in chosen:
        said = book.run(2)
        assert "StopIteration" not in said
        expect(book.status).to_contain_text("Done in", timeout=PATIENCE)
        # It is there, as the text it is: in the viewer, in the notes, and among the earlier runs.
        expect(book.editor.locator(".ttapi-note-field input")).to_have_value(payload)
        shown = " ".join(payload.split())[:60].strip()
        expect(book.editor.locator(".ttapi-results")).to_contain_text(shown)
        expect(book.editor.locator(".ttapi-history")).to_contain_text(f"refused {shown[:40]}")
        # A file is refused, and one is opened, by what the browser says of it.
        upload = book.editor.locator("input[type=file]").first
        upload.set_input_files({"name": f"{payload}.svg", "mimeType": "image/svg+xml", "buffer": b"<svg/>"})
        expect(book.editor.locator(".ttapi-photo-problem").first).to_contain_text("can't")
        picture = encoded(Image.new("RGB", (32, 32)))
        upload.set_input_files({"name": f"{payload}.png", "mimeType": "image/png", "buffer": picture})
        expect(book.editor.locator(".ttapi-file").first).to_contain_text("32 × 32")
        page.mouse.move(200, 300)
        page.mouse.move(700, 500, steps=5)
        assert traces(page) == 0, payload
    book.run(3)
    watched.wait_for_function("window.ran.length >= 8", timeout=PATIENCE)
    record_property("payloads", len(chosen))
