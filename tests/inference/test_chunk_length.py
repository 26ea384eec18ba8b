"""How long a chunk is: by the memory there is, never by what is free of it."""

from types import SimpleNamespace

import pytest
import torch

from w2v_cli import Wav2Vec2Config
from w2v_cli.inference import chunk_length
from w2v_cli.inference.chunk_length import LENGTHS_SECONDS, longest_chunk_seconds, memory_bytes
from w2v_cli.inference.memory import bytes_per_second

BASE = SimpleNamespace(config=Wav2Vec2Config(), dtype=torch.float32, device=torch.device("cpu"))


def test_more_memory_longer_chunks(monkeypatch):
    needed = bytes_per_second(BASE.config, BASE.dtype, 16000)
    found = []
    for gigabytes in (0.1, 1, 2, 4, 6, 8, 12, 16, 32, 1000):
        room = round(gigabytes * 2**30)
        monkeypatch.setattr(chunk_length, "memory_bytes", lambda device, room=room: room)
        seconds = longest_chunk_seconds(BASE, 16000)
        assert seconds in LENGTHS_SECONDS
        assert seconds * needed <= room / 4 or seconds == LENGTHS_SECONDS[-1]
        found.append(seconds)
    assert found == sorted(found)
    assert (found[0], found[-1]) == (LENGTHS_SECONDS[-1], LENGTHS_SECONDS[0])


def test_this_machine_has_memory():
    assert memory_bytes(torch.device("cpu")) > 2**28


@pytest.mark.parametrize("limit", ["max\n", "123456789\n"])
def test_a_containers_limit_counts(monkeypatch, tmp_path, limit):
    path = tmp_path / "memory.max"
    path.write_text(limit)
    unlimited = memory_bytes(torch.device("cpu"))
    monkeypatch.setattr(chunk_length, "_CONTAINER_LIMIT", path)
    got = memory_bytes(torch.device("cpu"))
    assert got == 123456789 if limit[0] == "1" else got >= unlimited
