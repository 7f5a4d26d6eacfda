"""The words of a command cut into options and operands, as its own list of options says. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct

from clearance.core.classify.shell.words import Word


class Options(Struct, frozen=True, kw_only=True):
    """`unsure`: a word not known before it runs could be an option. `first` counts options before operands.

    `early` are the options that stand before the first operand.
    """

    given: tuple[tuple[str, Word | None], ...] = ()
    operands: tuple[Word, ...] = ()
    early: tuple[str, ...] = ()
    unsure: bool = False

    def value(self, *names: str) -> Word | None:
        """The last value given to one of these options."""
        return next((value for name, value in reversed(self.given) if name in names and value), None)

    def has(self, *names: str) -> bool:
        return any(matches(name, wanted) for name, _ in self.given for wanted in names)


def matches(given: str, wanted: str) -> bool:
    """True where the option is this one, also shortened as many programs allow (`--del` for `--delete`)."""
    return given == wanted or (given.startswith("--") and len(given) > 2 and wanted.startswith(given))


def cut(
    words: Sequence[Word], values: Collection[str], *, style: str = "letters", leading: int = -1
) -> Options:
    """`style` is `letters` (`-rf` is `-r -f`) or `whole`. After `leading` operands there are no options."""
    given: list[tuple[str, Word | None]] = []
    operands: list[Word] = []
    early: list[str] = []
    unsure, index = False, 0
    while index < len(words):
        word, index = words[index], index + 1
        text = word.plain
        if text == "--" or (leading >= 0 and len(operands) >= leading and not word.may_be_option):
            operands += words[index:] if text == "--" else words[index - 1 :]
            break
        if text is None or not text.startswith("-") or text == "-":
            unsure = unsure or word.may_be_option
            operands.append(word)
            continue
        found, takes = _option(text, values, style=style)
        if takes:
            after = words[index] if index < len(words) else None
            index += 1
            found[-1] = (found[-1][0], after)
            unsure = unsure or bool(after and after.splits)
        given += found
        if not operands:
            early += [name for name, _ in found]
    return Options(given=tuple(given), operands=tuple(operands), early=tuple(early), unsure=unsure)


def _option(text: str, values: Collection[str], *, style: str) -> tuple[list[tuple[str, Word | None]], bool]:
    """The options in one word, and whether the last one takes the next word."""
    name, equals, value = text.partition("=")
    if equals:
        return [(name, Word(text=value, lead=value))], False
    if text.startswith("--") or style == "whole" or text in values:
        return [(text, None)], text in values
    found: list[tuple[str, Word | None]] = []
    for at, letter in enumerate(text[1:], 2):
        option = f"-{letter}"
        if option in values:
            rest = text[at:]
            found.append((option, Word(text=rest, lead=rest) if rest else None))
            return found, not rest
        found.append((option, None))
    return found, False
