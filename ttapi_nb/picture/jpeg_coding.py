"""Quantised DCT blocks written as a JPEG's scans: Huffman coding by ITU-T T.81, with the best code for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ZIGZAG", "Component", "coded"]

Blocks = NDArray[np.int16]
Tokens = NDArray[np.uint32]

# Blocks that are looked at together: more would take memory, and fewer time.
STRIP = 1 << 15
LONGEST_CODE = 16
# What no file's numbers reach, so that a code for it does not exist.
MOST_BITS = 15


def _zigzag() -> NDArray[np.intp]:
    rows, columns = np.divmod(np.arange(64), 8)
    diagonal = rows + columns
    # Every other diagonal is walked upwards.
    return np.lexsort((np.where(diagonal % 2 == 1, rows, columns), diagonal))


ZIGZAG = _zigzag()
"""Where in a block, row by row, the coefficients stand in the order in which a file has them."""


@dataclass(frozen=True, eq=False)
class Component:
    """One component's blocks, (rows, columns, 64) and row by row inside, with what its SOF says of it."""

    identifier: int
    across: int
    down: int
    blocks: Blocks
    # Which of the two pairs of Huffman tables codes it.
    table: int = 0


def coded(components: Sequence[Component], *, progressive: bool = False) -> bytes:
    """The Huffman tables and the scans of all `components`: DHT, SOS and the coded bits, without an EOI. One scan, or
    where `progressive`, one of their means and then one of the rest of each.

    Raises `ValueError` where a coefficient is too large for the format.
    """
    strips = [_tokens(*strip) for strip in _strips(components)]
    if not progressive:
        return _scan(components, strips, (0, 63))
    scans = [_scan(components, [tokens[tokens >> 25 & 1 == 0] for tokens in strips], (0, 0))]
    for one in components:
        alone = [_tokens(*strip) for strip in _strips([one])]
        scans.append(_scan([one], [tokens[tokens >> 25 & 1 == 1] for tokens in alone], (1, 63)))
    return b"".join(scans)


def _scan(components: Sequence[Component], strips: list[Tokens], span: tuple[int, int]) -> bytes:
    """The tables and the one scan of these tokens, which are of the coefficients of `span`."""
    counts = np.zeros(1024, np.int64)
    for tokens in strips:
        counts += np.bincount(tokens >> 16, minlength=1024)
    codes, lengths = np.zeros(1024, np.uint32), np.zeros(1024, np.uint8)
    tables = b""
    for kind in range(4):
        here = slice(kind * 256, kind * 256 + 256)
        if counts[here].any():
            bits, symbols = _best_code(counts[here])
            tables += bytes([(kind >> 1) << 4 | kind & 1, *bits, *symbols])
            codes[here], lengths[here] = _code_words(bits, symbols)
    heads = b""
    for one in components:
        # Of the two tables only those that the scan needs: a decoder may look for the other.
        heads += bytes([one.identifier, one.table * (16 * (span[0] == 0) + (span[1] > 0))])
    head = bytes([len(components)]) + heads + bytes([*span, 0])
    return _segment(0xC4, tables) + _segment(0xDA, head) + _packed(strips, codes, lengths)


def _segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(data) + 2).to_bytes(2) + data


def _strips(components: Sequence[Component]) -> Iterator[tuple[Blocks, NDArray[np.int32], NDArray[np.uint8]]]:
    """The blocks in the order of the file, (count, 64) in zigzag order, with DC differences and the table of each."""
    if len(components) == 1:
        # Alone, a component is no part of larger units, whatever its factors say.
        (only,) = components
        components = [Component(only.identifier, 1, 1, only.blocks, only.table)]
    rows = max(-(-len(one.blocks) // one.down) for one in components)
    columns = max(-(-one.blocks.shape[1] // one.across) for one in components)
    unit = sum(one.across * one.down for one in components)
    last = [0] * len(components)
    step = max(1, STRIP // (columns * unit))
    for start in range(0, rows, step):
        count = min(step, rows - start)
        blocks = np.empty((count * columns, unit, 64), np.int16)
        steps = np.empty((count * columns, unit), np.int32)
        table = np.empty((count * columns, unit), np.uint8)
        at = 0
        for number, one in enumerate(components):
            size = one.across * one.down
            these = _units(one, start, count, columns)
            blocks[:, at : at + size] = these[..., ZIGZAG]
            constant = these[..., 0].astype(np.int32).ravel()
            steps[:, at : at + size] = np.diff(constant, prepend=last[number]).reshape(-1, size)
            last[number] = int(constant[-1])
            table[:, at : at + size] = one.table
            at += size
        yield blocks.reshape(-1, 64), steps.ravel(), table.ravel()


def _units(one: Component, start: int, count: int, columns: int) -> Blocks:
    """A component's blocks of some rows of units, (units, blocks of each, 64). What is missing at the picture's right
    and lower edge, and is never shown, repeats its neighbour's mean, which costs the fewest bits.
    """
    blocks = one.blocks[start * one.down : (start + count) * one.down]
    rows, wide = count * one.down, columns * one.across
    high, broad = blocks.shape[:2]
    if blocks.shape[:2] != (rows, wide):
        whole = np.zeros((rows, wide, 64), np.int16)
        whole[:high, :broad] = blocks
        whole[:high, broad:, 0] = blocks[:, -1:, 0]
        whole[high:, :, 0] = whole[high - 1 : high, :, 0]
        blocks = whole
    units = blocks.reshape(count, one.down, columns, one.across, 64).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(units).reshape(count * columns, one.down * one.across, 64)


def _tokens(blocks: Blocks, steps: NDArray[np.int32], table: NDArray[np.uint8]) -> Tokens:
    """What is to be coded, one number each: kind of table (2 bits), symbol (8), and the bits that follow it (16)."""
    count = len(blocks)
    block, place = np.nonzero(blocks[:, 1:])
    value = blocks[block, place + 1].astype(np.int32)
    place += 1
    first = np.ones(len(block), np.bool_)
    first[1:] = block[1:] != block[:-1]
    before = np.empty_like(place)
    before[1:] = place[:-1]
    before[first] = 0
    run = place - before - 1
    long = run >> 4
    last = np.zeros(count, np.intp)
    # The last one written counts.
    last[block] = place
    ends = last < 63
    # Each block's tokens stand behind those of the blocks before.
    inner = np.cumsum(long + 1)
    begins = np.arange(count) + np.concatenate(([0], np.cumsum(ends)[:-1]))
    before_blocks = np.searchsorted(block, np.arange(count))
    inner_before = np.concatenate(([0], inner))[before_blocks]
    dc_at = begins + inner_before
    # A run of sixteen zeros has a symbol of its own: all that is not set below is that.
    total = int(count + np.count_nonzero(ends) + (inner[-1] if len(inner) else 0))
    tokens = np.full(total, 0xF0 << 16, np.uint32)
    size = _bit_count(steps)
    tokens[dc_at] = size << 16 | _following(steps, size)
    size = _bit_count(value)
    ac_at = begins[block] + inner
    tokens[ac_at] = ((run & 15) << 4 | size) << 16 | _following(value, size)
    tokens[(dc_at + np.diff(np.append(inner_before, inner[-1] if len(inner) else 0)) + 1)[ends]] = 0
    kind = table[np.repeat(np.arange(count), np.diff(np.append(dc_at, total)))].astype(np.uint32) | 2
    kind[dc_at] &= 1
    tokens |= kind << 24
    return tokens


def _bit_count(values: NDArray[np.int32]) -> NDArray[np.uint32]:
    size = np.frexp(np.abs(values).astype(np.float64))[1].astype(np.uint32)
    if len(size) and size.max() > MOST_BITS:
        raise ValueError("A coefficient is too large for a JPEG.")
    return size


def _following(values: NDArray[np.int32], size: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The bits behind a symbol: the number itself, or where it is negative, one less."""
    low = values + (values >> 31)
    return low.astype(np.uint32) & ((np.uint32(1) << size) - 1)


def _best_code(counts: NDArray[np.int64]) -> tuple[list[int], list[int]]:
    """How many codes there are of each length, and their symbols, shortest first: T.81, annex K.2."""
    # One more symbol, the rarest of all, takes the code of nothing but ones, which is not allowed.
    weights = {symbol: int(count) for symbol, count in enumerate(counts) if count} | {256: 1}
    groups = {symbol: [symbol] for symbol in weights}
    length = dict.fromkeys(weights, 0)
    order = dict(weights)
    while len(order) > 1:
        one, other = sorted(order, key=lambda symbol: (order[symbol], -symbol))[:2]
        if 256 in groups[other]:
            one, other = other, one
        order[one] += order.pop(other)
        groups[one] += groups.pop(other)
        for symbol in groups[one]:
            length[symbol] += 1
    bits = [0] * (max(length.values()) + 1)
    for symbol in length:
        bits[length[symbol]] += 1
    for deep in range(len(bits) - 1, LONGEST_CODE, -1):
        while bits[deep]:
            shorter = deep - 2
            while not bits[shorter]:
                shorter -= 1
            bits[deep] -= 2
            bits[deep - 1] += 1
            bits[shorter + 1] += 2
            bits[shorter] -= 1
    bits += [0] * (LONGEST_CODE + 1 - len(bits))
    bits[max(deep for deep, many in enumerate(bits) if many)] -= 1
    symbols = sorted(
        (symbol for symbol in length if symbol < 256), key=lambda symbol: (length[symbol], symbol)
    )
    return bits[1 : LONGEST_CODE + 1], symbols


def _code_words(bits: list[int], symbols: list[int]) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    codes, lengths = np.zeros(256, np.uint32), np.zeros(256, np.uint8)
    code, rest = 0, iter(symbols)
    for length, count in enumerate(bits, 1):
        for _ in range(count):
            symbol = next(rest)
            codes[symbol], lengths[symbol] = code, length
            code += 1
        code <<= 1
    return codes, lengths


def _packed(strips: list[Tokens], codes: NDArray[np.uint32], lengths: NDArray[np.uint8]) -> bytes:
    """The tokens' bits one behind the other, with a zero byte behind every 255, filled up with ones."""
    parts = []
    filled, carried = 0, 0
    for number, tokens in enumerate(strips):
        words, filled, carried = _words(tokens, codes, lengths, filled, carried)
        data = words.astype(">u4").tobytes()
        if number == len(strips) - 1 and filled:
            rest = (carried | (1 << 32 - filled) - 1).to_bytes(4)
            data += rest[: -(-filled // 8)]
        parts.append(data.replace(b"\xff", b"\xff\0"))
    return b"".join(parts)


def _words(
    tokens: Tokens, codes: NDArray[np.uint32], lengths: NDArray[np.uint8], filled: int, carried: int
) -> tuple[NDArray[np.uint32], int, int]:
    """Whole words of 32 bits, and of the one that is begun how many bits are filled, and with what."""
    which = tokens >> 16
    extra = (which & 15).astype(np.int64)
    size = lengths[which] + extra
    bits = codes[which].astype(np.uint64) << extra.astype(np.uint64) | (tokens & 0xFFFF).astype(np.uint64)
    ends = np.cumsum(size) + filled
    starts = ends - size
    word = starts >> 5
    placed = bits << (64 - (starts & 31) - size).astype(np.uint64)
    # The words' bits are apart from each other, so that their sum is all of them.
    begun, first = np.unique(word, return_index=True)
    whole = np.zeros(int(ends[-1] >> 5) + 2, np.uint64)
    whole[begun] = np.add.reduceat(placed >> np.uint64(32), first)
    last = np.append(first[1:], len(word)) - 1
    # Only a word's last token can reach into the next.
    whole[begun + 1] += placed[last] & np.uint64(0xFFFFFFFF)
    whole[0] |= np.uint64(carried)
    done = int(ends[-1] >> 5)
    return whole[:done].astype(np.uint32), int(ends[-1] & 31), int(whole[done])
