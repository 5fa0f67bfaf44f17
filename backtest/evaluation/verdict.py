"""How the evaluation of a run came out, in a sentence for its notes."""

from __future__ import annotations

from backtest.data.timeframe import utc_text
from backtest.ledger import Ledger
from engine.risk_gates import OUTCOMES, PASSED, UNDECIDED


def verdict_notes(ledger: Ledger) -> list[str]:
    """One sentence on the evaluation of a wallet, none when no rules stood above it."""
    account = ledger.account
    if int(account["gated"]) == 0:
        return []
    coins, sessions = ", ".join(ledger.symbols), int(account["session_count"])
    outcome = int(account["outcome"])
    if outcome == UNDECIDED:
        return [f"Evaluation of {coins}: undecided after {sessions:,} sessions."]
    when = utc_text(int(account["outcome_time"]))
    return [
        f"Evaluation of {coins}: {'PASSED' if outcome == PASSED else f'FAILED by {OUTCOMES[outcome]}'} at {when} UTC; it trades no more."
    ]
