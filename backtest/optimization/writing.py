"""Keeping a batch: its trials and the end of its lease, together.

The end of the lease is what makes a batch count: trials of a lease that has not ended well are passed over by every reader. So a
process killed anywhere in between loses the batch in flight, and the batch is run again by the next who asks; nothing is doubled.
In a database all is one transaction. In a journal all is one write, the end of the lease last; should the write be torn, whole
lines of trials may stay behind that no lease vouches for.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from backtest.optimization.storages import Journal


def keep_batch(storage: BaseStorage, study: int, lease: int, trials: Sequence[FrozenTrial]) -> bool:
    """Add complete trials to a study and end the lease (an Optuna trial's id) well. False when the lease had ended before."""
    database = getattr(storage, "_backend", None)
    if isinstance(database, RDBStorage):
        try:
            return _in_one_transaction(database, study, lease, trials)
        except SQLAlchemyError as error:
            raise StorageInternalError(f"a batch could not be written ({error})") from error
    if isinstance(storage, JournalStorage) and isinstance(database, Journal):
        if not running(storage, lease):
            return False
        with database.at_once():
            _one_by_one(storage, study, lease, trials)
        # Somebody may have ended the lease before the write: whose entry stands first is known when the file is read again.
        return not _refused(storage) and storage.get_trial(lease).state is TrialState.COMPLETE
    if not running(storage, lease):
        return False
    try:
        _one_by_one(storage, study, lease, trials)
    except UpdateFinishedTrialError:
        return False
    return True


def running(storage: BaseStorage, lease: int) -> bool:
    """Whether a lease still stands."""
    return storage.get_trial(lease).state is TrialState.RUNNING


def end_lease(storage: BaseStorage, lease: int) -> None:
    """Give a lease up. Nothing happens when it has ended already."""
    try:
        storage.set_trial_state_values(lease, TrialState.FAIL)
    except UpdateFinishedTrialError:
        return


def _one_by_one(storage: BaseStorage, study: int, lease: int, trials: Sequence[FrozenTrial]) -> None:
    for trial in trials:
        storage.create_new_trial(study, trial)
    storage.set_trial_state_values(lease, TrialState.COMPLETE, [0.0])


def _refused(storage: BaseStorage) -> bool:
    """Read what was written. True when the journal says that a trial this process wished to end had ended before."""
    try:
        storage.get_all_studies()
    except UpdateFinishedTrialError:
        return True
    return False


def _in_one_transaction(database: RDBStorage, study: int, lease: int, trials: Sequence[FrozenTrial]) -> bool:
    """Optuna itself writes a trial in some eighty statements, this a batch in seven, in Optuna's own tables."""
    from optuna.storages._rdb import models
    from sqlalchemy import func, insert, select, update
    from sqlalchemy.orm import Session

    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    with Session(database.engine) as session, session.begin():
        table = models.TrialModel
        mine = update(table).where(table.trial_id == lease, table.state == TrialState.RUNNING)
        ended: Any = session.execute(
            mine.values(state=TrialState.COMPLETE, _datetime_complete_utc=now), execution_options={"synchronize_session": False}
        )
        if ended.rowcount != 1:
            return False
        session.execute(insert(models.TrialValueModel), [_value(models, lease, 0.0)])
        # Numbers are given one study at a time, as Optuna does it.
        session.execute(select(models.StudyModel.study_id).where(models.StudyModel.study_id == study).with_for_update())
        count = session.scalar(select(func.count()).select_from(table).where(table.study_id == study)) or 0
        rows: list[Any] = [
            table(study_id=study, number=count + k, state=TrialState.COMPLETE, _datetime_start_utc=now, _datetime_complete_utc=now)
            for k in range(len(trials))
        ]
        session.add_all(rows)
        session.flush()
        known = [(row.trial_id, trial) for row, trial in zip(rows, trials, strict=True)]
        session.execute(insert(models.TrialValueModel), [_value(models, number, trial.value) for number, trial in known])
        session.execute(insert(models.TrialParamModel), [row for number, trial in known for row in _parameters(number, trial)])
        session.execute(insert(models.TrialUserAttributeModel), [row for number, trial in known for row in _attributes(number, trial)])
    return True


def _value(models: Any, number: int, value: float | None) -> dict[str, Any]:
    return {"trial_id": number, "objective": 0, "value": value, "value_type": models.TrialValueModel.TrialValueType.FINITE}


def _parameters(number: int, trial: FrozenTrial) -> list[dict[str, Any]]:
    return [
        {
            "trial_id": number,
            "param_name": name,
            "param_value": distribution.to_internal_repr(trial.params[name]),
            "distribution_json": distribution_to_json(distribution),
        }
        for name, distribution in trial.distributions.items()
    ]


def _attributes(number: int, trial: FrozenTrial) -> list[dict[str, Any]]:
    return [{"trial_id": number, "key": key, "value_json": json.dumps(value)} for key, value in trial.user_attrs.items()]
