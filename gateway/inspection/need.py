"""What a transaction must show before a detector has anything to look at."""

from __future__ import annotations

from enum import StrEnum


class Need(StrEnum):
    """A plain fact about a transaction. Where it does not hold, a detector that needs it is not called.

    Each is cheap, and true whenever a detector that names it could find something: it may hold for nothing, but may
    never be missing where there is something to find.
    """

    OUTSIDER_LOSS = "an account outside the ordering side has less of something than before"
    CREATION = "the sender made a contract, in this transaction or an earlier one"
    CALLS = "a contract called another account, created one or destroyed itself"
    COMEBACK = "a contract was entered again while it was open"
    FAILURE = "a call failed, if only one that was caught"
    CODE = "code ran: this is more than coin sent to an account"
    APPROVAL = "an allowance was given"
    RESERVES = "a pair announced its reserves"
    PAST = "earlier transactions of the sender left code or signatures to remember"
