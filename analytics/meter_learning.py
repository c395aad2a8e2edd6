"""Learning what nobody configured of a meter, day by day (anomaly-codes.md, "Common definitions")."""

from collections.abc import Iterable

from clickhouse_driver import Client

from core.directory import PileDirectory


class MeterLearner:
    """Appends rows to `meter_profiles` for connectors whose model leaves values open."""

    def __init__(self, client: Client, directory: PileDirectory) -> None:
        self._client = client
        self._directory = directory

    def learn_closed_days(self, until_ms: int, pile_ids: Iterable[int] | None = None) -> int:
        """Learn of every local day that is closed at `until_ms` and was not learned of; gives the number of new rows.

        `pile_ids`: only of these chargers, None = of all.
        """
        return 0
