"""A cluster of two raylets on this machine gives what the local engine gives."""

import collections
import contextlib
import sys
import time
from dataclasses import replace
from pathlib import Path

import cluster_jobs
import pytest
from cluster_jobs import ClusterJob
from fakes import items

from w2v_cli.batch.local import LocalEngine
from w2v_cli.batch.ray import RayEngine, Workers
from w2v_cli.batch.ray_worker import Assignment, Worker
from w2v_cli.cli.embed_formats import vector_formats
from w2v_cli.errors import (
    MissingDependencyError,
    ModelError,
    UsageError,
    W2VError,
    WorkerLostError,
)
from w2v_cli.formats.labels import label_formats
from w2v_cli.formats.turns import TURN_FORMATS
from w2v_cli.inference.runtime import Runtime
from w2v_cli.tasks.classify import ClassificationJob
from w2v_cli.tasks.diarize import DiarizationJob, SpeakerChoice
from w2v_cli.tasks.embed import EmbeddingJob
from w2v_cli.tasks.transcribe import TranscriptionJob

DATA = Path(__file__).parents[1] / "data"
RECORDINGS = sorted(str(path) for path in DATA.glob("*.opus"))


class TestWorkers:
    def test_one_for_each_gpu_where_there_are_any(self):
        machines = [{"CPU": 16, "GPU": 2}, {"CPU": 8, "GPU": 1}, {"CPU": 64}]
        assert Workers.on(machines, use_gpus=True, cores_each=None) == Workers(3, 1, 1)

    def test_one_for_each_machine_with_room_for_another(self):
        machines = [{"CPU": 16, "GPU": 2}, {"CPU": 8}, {"memory": 1e9}]
        assert Workers.on(machines, use_gpus=False, cores_each=None) == Workers(2, 0, 4)
        assert Workers.on(machines, use_gpus=False, cores_each=3) == Workers(7, 0, 1.5)

    def test_nothing_to_work_on(self):
        with pytest.raises(W2VError, match="no cores"):
            Workers.on([{"memory": 1e9}], use_gpus=True, cores_each=None)
        with pytest.raises(UsageError, match=r"--threads 9 is more .* has \(8\)"):
            Workers.on([{"CPU": 8}], use_gpus=True, cores_each=9)


class TestWithoutCluster:
    def test_a_worker_has_its_threads_although_torch_is_loaded(self, tmp_path, monkeypatch):
        import torch

        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        n_threads = torch.get_num_threads()
        try:
            job = ClusterJob(str(tmp_path))
            Worker(Assignment(job, None, 3, str(tmp_path / "nowhere")), None)
            assert torch.get_num_threads() == 3
        finally:
            torch.set_num_threads(n_threads)

    def test_no_items(self, tmp_path):
        assert list(RayEngine(ClusterJob(str(tmp_path))).run([])) == []

    def test_standard_input(self, tmp_path):
        with pytest.raises(UsageError, match="standard input"):
            list(RayEngine(ClusterJob(str(tmp_path))).run(items("a", "-")))

    def test_not_installed(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "ray", None)
        with pytest.raises(MissingDependencyError, match=r"w2v\[cluster\]"):
            list(RayEngine(ClusterJob(str(tmp_path))).run(items("a")))


class Machines:
    """Raylets of this machine: one without cores, from which runs start, and two with one each."""

    def __init__(self):
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 0, **self.options()}
        )
        self.address = self.cluster.address
        self.nodes = [self.add(), self.add()]

    @staticmethod
    def options():
        return {"object_store_memory": 80 * 2**20, "include_dashboard": False}

    def add(self):
        return self.cluster.add_node(num_cpus=1, **self.options())

    def lose_one(self):
        """Kill a raylet and its workers, as when the power fails."""
        self.cluster.remove_node(self.nodes.pop(), allow_graceful=False)


@pytest.fixture(scope="module")
def machines():
    pytest.importorskip("ray.data")
    import ray

    ray.cloudpickle.register_pickle_by_value(cluster_jobs)
    machines = Machines()
    yield machines
    machines.cluster.shutdown()
    ray.cloudpickle.unregister_pickle_by_value(cluster_jobs)


@pytest.fixture
def engine_for(machines):
    """A function that returns a job's engine on the cluster; they are closed in the end."""
    with contextlib.ExitStack() as stack:
        yield lambda job, **options: stack.enter_context(
            RayEngine(job, address=machines.address, **options)
        )


def told(outcomes):
    """What can be compared: errors are equal to themselves alone."""
    return [(o.item, o.result, type(o.error), str(o.error), o.audio_seconds) for o in outcomes]


def opened(folder):
    return collections.Counter((folder / "opened").read_text(encoding="utf-8").splitlines())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:::ray")
class TestCluster:
    def test_outcomes_are_those_of_a_local_run(self, engine_for, tmp_path, monkeypatch, capfd):
        monkeypatch.chdir(tmp_path)
        job = ClusterJob(str(tmp_path), environment=False)
        sources = items(*(f"{number}{'missing' * (number % 5 == 3)}" for number in range(50)))
        sources += items("package", "last")
        heard, warnings = [], []
        engine = engine_for(job, on_heard=lambda *what: heard.append(what), warn=warnings.append)
        outcomes = told(engine.run(iter(sources)))
        assert set(opened(tmp_path).values()) == {1}
        assert outcomes == told(LocalEngine(job).run(sources))
        assert heard == [(item, seconds) for item, *_, seconds in outcomes]
        assert warnings == []
        assert capfd.readouterr() == ("", "")

    def test_transcripts_are_those_of_a_local_run(self, engine_for):
        job = TranscriptionJob("mini", runtime=Runtime(threads=1))
        sources = items(*RECORDINGS, "missing.wav")
        # One at a time: neighbours in a batch change scores, though only by rounding.
        outcomes = told(engine_for(job, batch_seconds=0).run(sources))
        assert outcomes == told(LocalEngine(job, batch_seconds=0).run(sources))
        assert sum(result is not None for _, result, *_ in outcomes) == len(RECORDINGS) > 4

    @pytest.mark.parametrize("kind", ["labels", "turns", "vectors"])
    def test_other_results_are_those_of_a_local_run(self, engine_for, kind):
        runtime = Runtime(threads=1)
        job, form = {
            "labels": (ClassificationJob("mini-keywords", runtime, draws=True), label_formats()),
            "turns": (
                DiarizationJob(
                    "mini-turns", runtime, speakers=SpeakerChoice("mini-speakers"), envelope=True
                ),
                TURN_FORMATS,
            ),
            "vectors": (EmbeddingJob("mini-speakers", runtime), vector_formats("-", ["jsonl"])),
        }[kind]
        sources = items(*RECORDINGS, "missing.wav")
        outcomes = list(engine_for(job, batch_seconds=0).run(sources))
        local = list(LocalEngine(job, batch_seconds=0).run(sources))
        assert [told([replace(o, result=None)]) for o in outcomes] == [
            told([replace(o, result=None)]) for o in local
        ]
        for far, near in zip(outcomes[:-1], local[:-1], strict=True):
            assert form["jsonl"].write(far.result) == form["jsonl"].write(near.result)

    def test_outcomes_come_while_others_are_worked_on(self, engine_for, tmp_path):
        run = engine_for(ClusterJob(str(tmp_path), seconds=0.05)).run(items(*range(160)))
        next(run)
        assert len(opened(tmp_path)) < 160
        run.close()

    def test_closing_the_run_ends_it(self, engine_for, tmp_path):
        run = engine_for(ClusterJob(str(tmp_path), seconds=0.05)).run(items(*range(320)))
        next(run)
        run.close()
        n_opened = len(opened(tmp_path))
        time.sleep(2)
        assert len(opened(tmp_path)) <= n_opened + 2 * 2 * 16

    def test_a_model_that_cannot_be_loaded_ends_the_run(self, engine_for, tmp_path):
        job = ClusterJob(str(tmp_path), broken=True)
        with pytest.raises(ModelError, match="no such model"):
            list(engine_for(job).run(items("a", "b")))

    def test_a_bug_keeps_its_traceback(self, engine_for, tmp_path):
        with pytest.raises(Exception, match=r"ZeroDivisionError.*bug"):
            list(engine_for(ClusterJob(str(tmp_path))).run(items("a", "bug")))

    def test_a_file_that_takes_workers_down_is_named(self, engine_for, tmp_path):
        sources = items("a", "b", "c", "deadly", *range(12))
        outcomes = list(engine_for(ClusterJob(str(tmp_path))).run(sources))
        assert [o.item for o in outcomes] == sources
        (lost,) = [o for o in outcomes if o.error is not None]
        assert isinstance(lost.error, WorkerLostError)
        assert str(lost.error).startswith("deadly: 4 workers died while they had it")

    def test_a_lost_machines_items_are_done_again(self, engine_for, machines, tmp_path, capfd):
        job = ClusterJob(str(tmp_path), seconds=0.1, environment=False)
        sources = items(*range(120))
        warnings = []
        run = engine_for(job, warn=warnings.append).run(sources)
        outcomes = [next(run)]
        machines.lose_one()
        outcomes += run
        machines.nodes.append(machines.add())
        assert told(outcomes) == told(LocalEngine(job).run(sources))
        (warning,) = warnings
        assert warning.endswith("was lost; others do again what it had")
        assert capfd.readouterr().out == ""

    def test_no_cluster_there(self, machines, tmp_path):
        with (
            RayEngine(ClusterJob(str(tmp_path)), address="127.0.0.1:1") as engine,
            pytest.raises(W2VError, match=r"127\.0\.0\.1:1 cannot be joined"),
        ):
            list(engine.run(items("a")))
