"""How long an SMS is on its way: alphabet, units and parts, by 3GPP TS 23.038 and 23.040.

Counted here from the text alone, because the one-part rule of notices (S20) should be seen on the phone, and not only
in the code that keeps it.
"""

from dataclasses import dataclass

from proviso.domain.notice import GSM7

_EXTENSION = frozenset("^{}\\[~]|€\f")  # an escape before the letter: two septets


@dataclass(frozen=True, slots=True)
class SmsSize:
    """`units` are septets in GSM-7, 16-bit units in UCS-2; `room` is how many of them one part of this text holds."""

    alphabet: str
    units: int
    room: int
    parts: int


def size_of(text: str) -> SmsSize:
    """One part holds 160 septets or 70 UCS-2 units; each of several 153 or 67, as a header takes the rest. A letter is
    never cut in two, so a part may stay short of that. SNS cuts between words, so it may send one more."""
    if all(letter in GSM7 or letter in _EXTENSION for letter in text):
        widths = [2 if letter in _EXTENSION else 1 for letter in text]
        alphabet, single, several = "GSM-7", 160, 153
    else:
        widths = [2 if ord(letter) > 0xFFFF else 1 for letter in text]
        alphabet, single, several = "UCS-2", 70, 67
    units = sum(widths)
    if units <= single:
        return SmsSize(alphabet, units, single, 1)
    parts, filled = 1, 0
    for width in widths:
        if filled + width > several:
            parts, filled = parts + 1, 0
        filled += width
    return SmsSize(alphabet, units, several, parts)
