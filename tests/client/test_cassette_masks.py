"""Recordings for a class that paints by hand: with the masks, and answered by the nearest one."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.server import Server, encoded, json_reply, pictures
from ttapi_nb import Client, Mask, NotRecordedError, RefusedError, SettingsError, edit

KEY = "sk-very-secret-0123456789"


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Where a test's recording is."""
    return tmp_path / "class.zip"


def record(server: Server, tape: Path, **settings: Any) -> Client:
    """A client that records what the test's server answers."""
    return Client.record(tape, api_key=KEY, base_url=server.url, **settings)


def entries(tape: Path) -> list[dict[str, Any]]:
    """What is written of each exchange."""
    with zipfile.ZipFile(tape) as archive:
        return [json.loads(archive.read(name)) for name in sorted(archive.namelist()) if "exchanges/" in name]


def painted(left: float, top: float, right: float, bottom: float) -> Mask:
    """A mask of one rectangle on the test's photo."""
    return Mask((64, 64)).rectangle((left, top, right, bottom))


def test_masks_are_kept_where_they_are_asked_for(server: Server, photo: Image.Image, tape: Path) -> None:
    """Without masks=True the file holds no mask; with it what was asked is all there, for an editor to fill in."""
    record(server, tape).images.edit(image=photo, prompt="x", mask=painted(8, 8, 40, 40))
    assert Client.replay(tape).recorded[0].step is None
    assert {"asked", "mask_file"}.isdisjoint(entries(tape)[0])

    teacher = record(server, tape, masks=True)
    run = edit(photo, "y", mask=painted(8, 8, 40, 40), client=teacher, log=False, size="1024x1024")
    assert "with its mask" in teacher.words
    assert "masks=True" in repr(teacher)
    step = Client.replay(tape).recorded[1].step
    assert step is not None
    assert step.mask is not None
    assert (step.mask.to_array() == painted(8, 8, 40, 40).to_array()).all()
    assert (step.prompt, step.source.digest, step.fit) == ("y", run.source.digest, "auto")


@pytest.mark.slow
def test_a_mask_painted_by_hand_gets_the_nearest_recording(
    server: Server, photo: Image.Image, tape: Path
) -> None:
    """match="prompt" answers with the recording whose mask is most alike, and keeps what is outside one's own mask."""
    teacher = record(server, tape, masks=True)
    for colour, box in (("#aa0000", (0, 0, 20, 64)), ("#00aa00", (30, 0, 64, 64))):
        server.answer = json_reply(pictures(Image.new("RGB", (1024, 1024), colour)))
        edit(photo, "a wall", mask=painted(*box), client=teacher, log=False, size="1024x1024")
    posts = len(server.posts)

    mine = painted(34, 4, 60, 60)
    with pytest.raises(NotRecordedError, match='match="prompt"'):
        edit(photo, "a wall", mask=mine, client=Client.replay(tape), log=False, size="1024x1024")
    student = Client.replay(tape, match="prompt")
    run = edit(photo, "a wall", mask=mine, client=student, log=False, size="1024x1024")

    assert "teacher's mask" in run.note
    assert "%" in run.note
    result = np.asarray(run.results[0].image)
    assert result[32, 47].argmax() == 1
    assert (result[~mine.to_array()] == np.asarray(photo)[~mine.to_array()]).all()
    assert len(server.posts) == posts


def test_what_is_near_and_what_is_not(server: Server, photo: Image.Image, tape: Path) -> None:
    """Settings that differ are named; another photo, another prompt and a refusal are never near."""
    teacher = record(server, tape)
    teacher.images.edit(image=photo, prompt="a wall", mask=painted(0, 0, 20, 64), quality="low")
    server.answer = json_reply({"error": {"message": "no bombs", "code": "moderation_blocked"}}, 400)
    with pytest.raises(RefusedError):
        teacher.images.edit(image=photo, prompt="a bomb", mask=painted(0, 0, 20, 64))
    student = Client.replay(tape, match="prompt").images

    other = student.edit(image=photo, prompt=" a wall", mask=painted(0, 0, 30, 30), quality="high")
    assert "quality low" in other.note
    assert "teacher's mask" in other.note
    unmasked = student.edit(image=photo, prompt="a wall", quality="low")
    assert "teacher's mask" in unmasked.note
    assert student.edit(image=photo, prompt="a wall", mask=painted(0, 0, 20, 64), quality="low").note == ""
    for image, prompt in ((photo.rotate(90), "a wall"), (photo, "a wand"), (photo, "a bomb")):
        with pytest.raises(NotRecordedError):
            student.edit(image=image, prompt=prompt, mask=painted(0, 0, 21, 64))


@pytest.mark.parametrize("damage", ["gone", "other bytes", "no picture", "other size", "hostile step"])
def test_a_hostile_mask_file(server: Server, photo: Image.Image, tape: Path, damage: str) -> None:
    """A kept mask that can't be read costs only the comparison: the recording still answers."""
    teacher = record(server, tape, masks=True)
    teacher.images.edit(image=photo, prompt="a wall", mask=painted(0, 0, 20, 64))
    with zipfile.ZipFile(tape) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (name,) = [name for name in members if name.startswith("masks/")]
    (entry,) = [name for name in members if name.startswith("exchanges/")]
    new = {"no picture": b"GIF89a", "other size": encoded(Image.new("L", (8, 8)))}.get(damage)
    if damage == "gone":
        del members[name]
    elif damage == "other bytes":
        members[name] = members[name][:-1] + b"x"
    elif new is not None:
        digest = hashlib.sha256(new).hexdigest()
        members[entry] = members[entry].replace(name[6:].encode(), digest.encode())
        members[f"masks/{digest}"] = new
    else:
        said = json.loads(members[entry])
        members[entry] = json.dumps(said | {"asked": '{"format":1,"steps":[{"prompt":7}]}'}).encode()
    with zipfile.ZipFile(tape, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)

    client = Client.replay(tape, match="prompt")
    answered = client.images.edit(image=photo, prompt="a wall", mask=painted(0, 0, 30, 64))
    assert ("in common" in answered.note) == (damage == "hostile step")
    assert (client.recorded[0].step is None) == (damage == "hostile step")


@pytest.mark.parametrize("setting", [{"match": "near"}, {"match": 1}, {"match": None}])
def test_a_match_that_is_not_known(tape: Path, setting: dict[str, Any]) -> None:
    """Another word for how to look is refused before the file is opened."""
    with pytest.raises(SettingsError, match='"exact" or "prompt"'):
        Client.replay(tape, **setting)


def test_no_key_in_what_is_kept_of_masks(server: Server, photo: Image.Image, tape: Path) -> None:
    """A key that was pasted into the prompt is in none of it."""
    teacher = record(server, tape, masks=True)
    teacher.images.edit(image=photo, prompt=f"x {KEY}", mask=painted(0, 0, 20, 64), user="somebody")
    with zipfile.ZipFile(tape) as archive:
        everything = b"".join(map(archive.read, archive.namelist()))
    assert KEY.encode() not in everything
    assert b"somebody" not in everything
