from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.render.call_tree import Step, find_frames, frame_path, tree_steps
from tests.dashboard.scene import LABELS, TOKENS, many_frames, price_attack


@settings(deadline=None)  # the machine may be busy
@given(
    st.integers(min_value=1, max_value=400),
    st.integers(min_value=1, max_value=120),
    st.lists(st.integers(min_value=0, max_value=399), max_size=8),
    st.integers(min_value=0, max_value=399),
)
def test_every_frame_is_shown_once_or_counted_where_it_is_left_out(
    count: int, most: int, focus: list[int], root: int
) -> None:
    trace = many_frames(count)
    root %= count
    depth, shown, hidden = 0, [], 0
    for step in tree_steps(trace, root=root, focus=focus, most=most):
        if step.step in (Step.OPEN, Step.LEAF):
            assert step.line is not None
            assert step.line.depth == depth
            shown.append(step.line.index)
        depth += {Step.OPEN: 1, Step.CLOSE: -1}.get(step.step, 0)
        hidden += step.hidden
    end = next((i for i in range(root + 1, count) if trace.frames[i].depth <= trace.frames[root].depth), count)
    assert depth == 0
    assert shown == sorted(set(shown))
    assert len(shown) + hidden == end - root


def test_what_findings_point_at_is_shown_however_deep() -> None:
    trace = many_frames(5_000)
    deepest = max(trace.frames, key=lambda frame: frame.depth).index
    lines = [step.line for step in tree_steps(trace, focus={deepest}, most=60) if step.line]
    assert deepest in {line.index for line in lines}
    assert [line.index for line in lines if line.focus] == [deepest]


def test_frames_are_found_by_label_function_selector_and_error() -> None:
    trace, _ = price_attack()
    for words, indexes in (
        ("harbour borrow", [7]),
        ("0x022c0d9f", [4]),
        ("reverted", [10]),
        ("staticcall balanceof", [6]),
    ):
        assert [frame.index for frame in find_frames(trace, words, LABELS)] == indexes
    assert [frame.index for frame in frame_path(trace, 5)] == [0, 1, 3, 4, 5]


def test_amounts_of_tokens_and_addresses_are_in_words() -> None:
    trace, _ = price_attack()
    lines = {step.line.index: step.line for step in tree_steps(trace, labels=LABELS, tokens=TOKENS) if step.line}
    paid = dict(lines[9].reading.arguments)
    assert paid["amount"] == "1,250,000 USDC"
    assert len(paid["to"]) <= 14
    assert dict(lines[1].reading.arguments)["amount"] == "4,000,000,000,000"  # the lender is no token
    (event,) = lines[9].events
    assert dict(event.reading.arguments)["from"] == "Harbour Lending"
