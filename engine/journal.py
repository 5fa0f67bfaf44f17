"""Events of the bar in hand, and the running totals they feed."""

from engine.records import MAX_EVENTS, TOO_MANY_EVENTS
from gridcore.compile import inlined_kernel


@inlined_kernel
def record_event(account, state, journal, label, side, price, qty, fee, realized_pnl, funding, lot):
    """Add an event to the totals and, when recording, to the journal. The wallet has already moved.

    `side` is 0, 1 or 2 (none); quantities in base units, money in quote currency; `lot` is -1 for none. An event of a lot is
    followed by `note_level`.
    """
    account["events"] += 1
    account["fees"] += fee
    column = side if side < 2 else 0
    state["label_counts"][label, column] += 1
    state["label_pnl"][label, column] += realized_pnl
    if fee != 0.0:
        state["fees"][column] += fee
    if journal["recording"] == 0:
        return
    count = journal["event_count"]
    if count >= MAX_EVENTS:
        account["status"] = TOO_MANY_EVENTS
        return
    event = journal["events"][count]
    event["time"] = state["time"]
    event["bar"] = state["bar"]
    event["instrument"] = state["instrument"]
    event["label"] = label
    event["side"] = side
    event["price"] = price
    event["qty"] = qty
    event["fee"] = fee
    event["realized_pnl"] = realized_pnl
    event["funding"] = funding
    event["wallet"] = account["wallet"]
    event["lot"] = lot
    event["level"] = -1
    journal["event_count"] = count + 1


@inlined_kernel
def note_level(journal, level):
    """The event recorded last is of a lot that this level of the grid opened (-1: none)."""
    if journal["recording"] == 1:
        journal["events"][journal["event_count"] - 1]["level"] = level


@inlined_kernel
def copy_event(source, target):
    """Copy an event field by field: assigning whole records goes byte by byte in compiled code."""
    target["time"] = source["time"]
    target["bar"] = source["bar"]
    target["instrument"] = source["instrument"]
    target["label"] = source["label"]
    target["side"] = source["side"]
    target["price"] = source["price"]
    target["qty"] = source["qty"]
    target["fee"] = source["fee"]
    target["realized_pnl"] = source["realized_pnl"]
    target["funding"] = source["funding"]
    target["wallet"] = source["wallet"]
    target["lot"] = source["lot"]
    target["level"] = source["level"]


@inlined_kernel
def flush_events(journal, log, cursor):
    """Copy the bar's events behind the log's cursor. Returns the new cursor."""
    events = journal["events"]
    count = journal["event_count"]
    for j in range(count):
        copy_event(events[j], log[cursor + j])
    journal["event_count"] = 0
    return cursor + count
