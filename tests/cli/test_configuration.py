"""Configuration files, --set, presets, and the reference made from the declarations."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from backtest.arguments import configuration, parse
from backtest.configuration import FEE_PRESETS, STRATEGIES, Configuration, DataSettings, fee_preset
from backtest.optimization.settings import Optimization
from backtest.parameter_reference import DOCUMENT, METRICS_DOCUMENT, document, metrics_document, rows, sections
from engine import programs
from engine.account import Account
from engine.errors import InputError
from engine.evaluation import Evaluation
from engine.execution import Execution
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid
from engine.strategies.static_grid_parameters import StaticGrid

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def given(*argv: str) -> Configuration:
    return configuration(parse(list(argv)))


def test_defaults() -> None:
    assert given() == Configuration(AdaptiveGrid(), Account(), Execution(), DataSettings(coins=("BTC",)))


@pytest.mark.parametrize(
    "settings",
    [
        Configuration(),
        Configuration(strategy=StaticGrid(step=0.01), data=DataSettings(coins=("ETH", "SOL"), start="2024-01-01", seed=7)),
        Configuration(account=Account(exposure=2.0, wallet="shared"), execution=Execution(slippage_stop=0.001)),
    ],
)
def test_a_file_reads_back_equal(settings: Configuration, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(settings.to_toml())
    assert Configuration.read(tmp_path / "c.toml") == settings
    assert Configuration.read(tmp_path / "c.toml").digest() == settings.digest()


def test_the_digest_stands_for_the_settings_and_not_for_the_folder() -> None:
    plain = Configuration()
    assert plain.digest() == Configuration(data=DataSettings(data_dir="somewhere")).digest()
    assert len(plain.digest()) == 6
    assert plain.digest() != plain.set("gamma=0.25").digest()


@pytest.mark.parametrize(
    ("assignment", "table", "field", "value"),
    [
        ("grid_levels=12", "strategy", "grid_levels", 12),
        ("strategy.gamma = 0.25", "strategy", "gamma", 0.25),
        ("spacing_floor=.01", "strategy", "spacing_floor", 0.01),
        ("halt_z_threshold=-4", "strategy", "halt_z_threshold", -4.0),
        ("allow_short=false", "strategy", "allow_short", False),
        ("prune_gap=False", "strategy", "prune_gap", False),
        ("exposure=3", "account", "exposure", 3.0),
        ("capital=1e5", "account", "capital", 100_000.0),
        ("wallet=shared", "account", "wallet", "shared"),
        ("fee_maker=-0.00005", "execution", "fee_maker", -0.00005),
        ("start=2024-01-01", "data", "start", "2024-01-01"),
        ("coins=ETH,SOL", "data", "coins", ("ETH", "SOL")),
        ("seed=3", "data", "seed", 3),
    ],
)
def test_set_reaches_every_table(assignment: str, table: str, field: str, value: object) -> None:
    changed = Configuration().set(assignment)
    assert getattr(getattr(changed, table), field) == value
    others = {"strategy", "account", "execution", "data"} - {table}
    assert all(getattr(changed, other) == getattr(Configuration(), other) for other in others)


def test_set_can_unset_and_change_the_strategy() -> None:
    assert Configuration(account=Account(exposure=2.0)).set("exposure=none").account.exposure is None
    assert Configuration().set("strategy=static_grid").strategy == StaticGrid()


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("gama=1", "gama is not a setting; did you mean gamma?"),
        ("strategy.gama=1", "did you mean gamma?"),
        ("account.gamma=1", "gamma is not a setting"),
        ("acount.capital=1", "acount is not a table; did you mean account?"),
        ("gamma", "it must be name=value or table.name=value"),
        ("=1", "it must be name=value"),
        ("gamma=much", "gamma = 'much' is refused: it must be a valid number"),
        ("gamma=-1", "gamma = -1 is refused: it must be at least 0 and at most 1000"),
        ("gamma=nan", "gamma = nan is refused"),
        ("grid_levels=10.5", "grid_levels = 10.5 is refused"),
        ("wallet=joint", "wallet = 'joint' is refused: it must be 'separate' or 'shared'"),
        ("strategy=adaptiv_grid", "strategy 'adaptiv_grid' is not known; did you mean adaptive_grid?"),
        ("coins=", "coins = '' is refused: there must be at least one coin"),
    ],
)
def test_set_refuses_in_one_sentence(assignment: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        Configuration().set(assignment)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[strategy]\ngrid_level = 3", "grid_level is not a setting of AdaptiveGrid; did you mean grid_levels?"),
        ("[strategie]\n", "[strategie] is not a table of a configuration; did you mean strategy?"),
        ("capital = 3", "[capital] is not a table"),
        ("account = 3", "account = 3 is refused: it must be a table"),
        ("[account]\nleverage = 0.5", "leverage = 0.5 is refused"),
        ("[account", "is not valid TOML"),
        ("[strategy]\nname = 'gird'", "strategy 'gird' is not known"),
        ("[data]\ncoins = []", "there must be at least one coin"),
    ],
)
def test_a_file_is_refused_in_one_sentence_that_names_it(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        Configuration.read(path)
    assert str(path) in str(caught.value)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.toml cannot be read"):
        Configuration.read(tmp_path / "nowhere.toml")


def test_dates_of_a_file_may_be_dates(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[data]\nstart = 2024-01-01\nend = 2024-02-01T12:00:00Z\n")
    data = Configuration.read(tmp_path / "c.toml").data
    assert (data.start, data.end) == ("2024-01-01", "2024-02-01T12:00:00+00:00")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_ready_configurations_are_valid(path: Path) -> None:
    settings = Configuration.read(path)
    expected = {"adaptive_grid": AdaptiveGrid(), "static_grid": StaticGrid(), "grid_v4": AdaptiveGrid(var_horizon_bars=1)}
    # They state defaults for the reader's sake, so a changed default must be changed there too.
    assert settings.strategy == expected[path.stem]
    assert fee_preset(settings.execution) == ("market_maker" if path.stem == "grid_v4" else "regular")
    assert (settings.account, settings.data) == (Account(), DataSettings())


def test_there_is_a_configuration_for_each_strategy() -> None:
    assert STRATEGIES == programs.STRATEGIES
    assert set(STRATEGIES) <= {path.stem for path in CONFIGS.glob("*.toml")}


def test_options_override_the_file_and_set_overrides_options(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[account]\ncapital = 5\nleverage = 2\n[execution]\nfee_maker = 0.001\n")
    file = ("--config", str(tmp_path / "c.toml"))
    assert (given(*file).account.capital, given(*file, "--capital", "7").account.capital) == (5.0, 7.0)
    assert given(*file, "--capital", "7").account.leverage == 2.0
    fees = given(*file, "--fees", "market_maker").execution
    assert (fees.fee_maker, fees.fee_taker) == FEE_PRESETS["market_maker"]
    mixed = given(*file, "--fees", "market_maker", "--set", "fee_maker=0.0", "--capital", "7", "--set", "capital=9")
    assert (mixed.execution.fee_maker, mixed.execution.fee_taker, mixed.account.capital) == (0.0, 0.0002, 9.0)


def test_each_option_reaches_its_field(tmp_path: Path) -> None:
    settings = given(
        *("--coins", "BTC", "ETH", "--start", "2024-01-01", "--end", "2024-02-01", "--timeframe", "1h", "--source", "files"),
        *("--exchange", "binance_spot", "--data-dir", str(tmp_path), "--sub-bars", "5m", "--seed", "4"),
        *("--capital", "500", "--leverage", "3", "--wallet", "shared", "--margin", "isolated"),
        *("--fills", "through", "--through-bps", "2.5", "--path", "high_first", "--no-short"),
    )
    assert settings.data == DataSettings(
        coins=("BTC", "ETH"),
        start="2024-01-01",
        end="2024-02-01",
        timeframe="1h",
        source="files",
        exchange="binance_spot",
        data_dir=str(tmp_path),
        sub_bars="5m",
        seed=4,
    )
    assert settings.account == Account(capital=500.0, leverage=3.0, wallet="shared", margin="isolated")
    assert settings.execution == Execution(through=1.0, through_bps=2.5, path="high_first")
    assert settings.strategy == AdaptiveGrid(allow_short=False)
    assert given("--strategy", "static_grid").strategy == StaticGrid()


@pytest.mark.parametrize(("path", "made"), [(DOCUMENT, document), (METRICS_DOCUMENT, metrics_document)], ids=["parameters", "metrics"])
def test_the_documents_are_up_to_date(path: Path, made: Callable[[], str]) -> None:
    assert path.read_text(encoding="utf-8") == made(), "run python -m backtest.parameter_reference"


def test_the_reference_has_every_parameter_with_its_meaning() -> None:
    kinds = [kind for _, _, kind in sections()]
    assert kinds == [AdaptiveGrid, StaticGrid, Account, Execution, DataSettings, Evaluation, Optimization]
    for kind in kinds:
        assert [row.name for row in rows(kind)] == list(kind.model_fields)
        assert all(row.meaning and row.allowed and row.default for row in rows(kind))
    by_name = {row.name: row for row in rows(AdaptiveGrid)}
    assert by_name["grid_levels"][:5] == ("grid_levels", "10", "whole, [1, 200]", "levels", "4 to 20")
    assert by_name["gamma"].search == "0.05 to 2 (log)"
    assert by_name["prune_gap"].allowed == "true, false"
    assert {row.name: row for row in rows(Account)}["exposure"][1:3] == ("none", "(0, 150]")
    assert {row.name: row for row in rows(Execution)}["path"].allowed == "nearest, low_first, high_first"


def test_the_rules_of_a_funded_account_stand_only_where_they_are_asked_for() -> None:
    assert Configuration().evaluation is None
    assert "evaluation" not in Configuration().tables()
    settings = Configuration().set("evaluation.daily_loss_limit=none").set("holidays=2024-12-25 2025-01-01").set("session_start=17:00")
    assert settings.evaluation == Evaluation(daily_loss_limit=None, holidays=("2024-12-25", "2025-01-01"), session_start="17:00")
    again = Configuration.from_tables(tomllib.loads(settings.to_toml()))
    assert again == settings
    assert Configuration.from_tables({"evaluation": {}}).evaluation == Evaluation()
    assert settings.digest() != Configuration().digest()


def test_a_name_that_rules_and_strategy_share_is_the_strategys_without_rules() -> None:
    settings = Configuration().set("atr_period=20")
    assert settings.strategy.atr_period == 20
    assert settings.evaluation is None
    with pytest.raises(InputError, match=r"say strategy\.atr_period or evaluation\.atr_period"):
        settings.set("evaluation.fee=1").set("atr_period=21")
    with pytest.raises(InputError, match=r"say strategy\.atr_period or evaluation\.atr_period"):
        settings.set("atr_period=21", "evaluation.fee=1")
    assert settings.set("fee=1", "evaluation.resets=2").evaluation == Evaluation(fee=1.0, resets=2)


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("evaluation.daily_loss=1", "did you mean daily_loss_limit"),
        ("evaluation.session_time_zone=Chicago", "time zone"),
        ("evaluation.minimum_days=-1", "at least 0"),
        ("fee=0.0002", "this run has none; say evaluation.fee to switch them on"),
    ],
)
def test_bad_rules_of_a_funded_account_are_one_sentence(assignment: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Configuration().set(assignment)
