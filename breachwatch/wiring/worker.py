"""`breachwatch worker`: matches and correlates. Of all secrets it has the pseudonym key and the way to the brokers."""

from breachwatch.engines.kafka.engine import KafkaEngine
from breachwatch.engines.kafka.names import Names
from breachwatch.engines.reloading import Reloading
from breachwatch.kernel.ports import Waypoint, passing
from breachwatch.kernel.pseudonyms import pseudonymiser
from breachwatch.ledger.keys import open_pseudonym_key
from breachwatch.settings import Settings
from breachwatch.wiring.clock import now
from breachwatch.wiring.detecting import LiveContent
from breachwatch.wiring.inputs import sources_of
from breachwatch.wiring.observing import observe
from breachwatch.wiring.process import Process
from breachwatch.wiring.sharding import ShardedStages, first_stages, stages_reader
from breachwatch.wiring.topics import connect


def build_worker(settings: Settings, *, waypoint: Waypoint = passing) -> Process:
    """A worker, put together; no broker was asked yet.

    Raises:
        ContentError: settings, sources, playbooks, certificates or the key with every problem found.
        NotFoundError: the pseudonym key is not there.
        UnavailableError: the address of its metrics cannot be had.
    """
    sources = sources_of(settings)
    live = LiveContent(settings, sources)
    pseudonymise = pseudonymiser(open_pseudonym_key(settings.state_dir))
    to = connect(settings)
    seeing = observe(settings, "worker", sources)
    stages = first_stages(live, pseudonymise)
    engine = KafkaEngine(
        to,
        Names(settings.kafka.prefix),
        stages.detector,
        stages.sharding,
        now,
        worker=worker_name(settings),
        waypoint=waypoint,
        observer=seeing.observer,
    )

    def use(fresh: ShardedStages) -> None:
        engine.reload(fresh.detector, fresh.sharding)

    reading = stages_reader(live, pseudonymise)
    reloading = Reloading(live.look, reading, use, digest=live.digest, observer=seeing.observer)
    seeing.needs("kafka", engine.not_ready)
    seeing.needs(
        "detection", lambda: "; ".join(f"{where}: {what}" for where, what in engine.status()["trouble"].items())
    )
    seeing.watch_troubles(watches=[reloading])
    parts = {"detection": engine.run, "rules": reloading.run, "observe": seeing.run}
    return Process("worker", parts, seeing.close)


def worker_name(settings: Settings) -> str:
    """What this worker is called among the others: the instance, and its number where there are several here."""
    number = settings.observe.number
    return f"{settings.instance}-{number}" if number else settings.instance
