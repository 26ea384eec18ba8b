"""Do the vectors of `w2v embed` tell speakers apart as `w2v evaluate` says?

    python tests/benchmarks/embedding_eer.py ../shared/data/librispeech/manifest.jsonl
    python tests/benchmarks/embedding_eer.py --model my-speakers dev.jsonl

Both commands hear the rows of the split dev; the equal error rates over all pairs of recordings
are printed, and have to be the same.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from w2v_cli.formats.vector_files import read_vectors
from w2v_cli.scoring.verification import equal_error_rate
from w2v_cli.tasks.embed_search import cosines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="mini-speakers")
    parser.add_argument("--split", default="dev")
    chosen = parser.parse_args()
    rows = [json.loads(line) for line in chosen.manifest.read_text().splitlines()]
    rows = [row for row in rows if row["split"] == chosen.split and row.get("speaker")]
    for row in rows:
        row["audio_filepath"] = str(chosen.manifest.parent.resolve() / row["audio_filepath"])
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "manifest.jsonl"
        manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
        vectors = Path(folder) / "vectors.npz"
        options = ["--manifest", str(manifest), "--output", str(vectors), "--quiet"]
        w2v("embed", "--model", chosen.model, *options)
        table = read_vectors(vectors)
        measured = w2v("evaluate", chosen.model, str(manifest), "--format", "json", "--quiet")
    speaker_of = {row["audio_filepath"]: row["speaker"] for row in rows}
    speakers = np.array([speaker_of[source] for source in table.sources])
    one, other = np.triu_indices(len(speakers), k=1)
    rate = equal_error_rate(
        cosines(table.vectors, table.vectors)[one, other], speakers[one] == speakers[other]
    )
    expected = json.loads(measured)["figures"]["eer"]["value"]
    print(f"{len(speakers)} recordings, {len(set(speakers))} speakers")
    print(f"w2v embed     eer {100 * rate:.2f} %")
    print(f"w2v evaluate  eer {100 * expected:.2f} %")
    if abs(rate - expected) > 1e-4:
        sys.exit("they differ")


def w2v(*arguments: str) -> str:
    """Return what a command prints."""
    command = [sys.executable, "-m", "w2v_cli", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
