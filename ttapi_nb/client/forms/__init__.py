"""The body forms, one file each: a form knows its encoding, its problems and its settings.

Every file beside this one is loaded, so a new form is a file here, and `Client` takes its settings.
"""

from __future__ import annotations

import importlib
import pkgutil

from ..checks import Check
from .form import FORMS, Body, Form

__all__ = ["CHECKS", "FORMS", "Body", "Form"]

for _form in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_form.name}")


def _wire(name: str, value: object) -> str:
    """Why a value can't be a form's name; empty where it is one."""
    if isinstance(value, str) and value in FORMS:
        return ""
    shown = repr(value)[:40] if isinstance(value, str) and len(value) < 20 else f"<{type(value).__name__}>"
    return f"{name}={shown} is not known. Use one of {', '.join(FORMS)}."


CHECKS: dict[str, Check] = {"wire": _wire} | {
    name: check for form in FORMS.values() for name, check in form.checks.items()
}
"""Of each setting that the forms have what tells why it can't be."""
