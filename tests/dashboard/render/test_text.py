from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from dashboard.render.text import clean, finalize, shorten, symbol


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=300), st.integers(min_value=1, max_value=200))
def test_nothing_invisible_or_reversing_is_left_and_length_is_bounded(text: str, most: int) -> None:
    printed = clean(text, most)
    assert all(unicodedata.category(letter)[0] != "C" or letter in "\n\t" for letter in printed)
    assert len(printed) <= most * 10 + 40


@pytest.mark.parametrize(
    ("text", "printed"),
    [("plain", "plain"), ("a\u202eb", "a⟨U+202E⟩b"), ("\x00", "⟨U+0000⟩"), ("e" + "\u0301" * 9, "e" + "\u0301" * 2)],
)
def test_what_is_printed(text: str, printed: str) -> None:
    assert clean(text) == printed


def test_a_cut_is_told() -> None:
    assert clean("x" * 5_000, 10) == "xxxxxxxxxx … (cut: 5,000 characters)"


def test_symbols_that_may_imitate_are_told() -> None:
    assert symbol("USDC") == "USDC"
    assert symbol("USD\u0421") == "USD\u0421 (not ASCII)"
    assert symbol("") == "?"


def test_made_markup_passes_and_text_does_not() -> None:
    assert finalize(Markup("<b>")) == Markup("<b>")
    assert finalize("\u200b") == "⟨U+200B⟩"
    assert finalize(7) == 7


def test_hashes_lose_their_middle() -> None:
    assert shorten("0x" + "ab" * 32) == "0xababab…abab"
