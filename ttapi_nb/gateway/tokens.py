"""Tokens that people hold, and codes to join a class by. A ledger keeps the hashes of tokens only."""

from __future__ import annotations

import hashlib
import secrets

from ..client.again import TOKEN_PREFIX

__all__ = ["PREFIX", "hashed", "looks_like_token", "new_code", "new_token"]

PREFIX = TOKEN_PREFIX
"""What a person's or a teacher's token begins with, so that a client knows that it speaks to a gateway."""

# In bytes. Such a token can't be guessed, so its hash needs no salt and no slowness.
RANDOM = 24
# Without letters and digits that look like each other on a board: 30 of them, 8 letters, 6.5 * 10**11 codes.
LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
CODE_LENGTH = 8
LONGEST = 200


def new_token() -> str:
    """A token that nobody can guess."""
    return PREFIX + secrets.token_urlsafe(RANDOM)


def new_code() -> str:
    """A code for the board, as `ABCD-EFGH`."""
    letters = "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))
    return f"{letters[:4]}-{letters[4:]}"


def hashed(token: str) -> str:
    """What a ledger keeps of a token."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def looks_like_token(text: str) -> bool:
    """Whether a text may be a token at all, so that others are not looked up."""
    return 0 < len(text) <= LONGEST and text.isascii() and text.isprintable()
