"""What a very large folder costs: rate and size of the copies, here and on Ray, and the keeping of the manifest.

    python benchmarks/scale.py PHOTOS

Copies: some of PHOTOS are protected here and then on a Ray cluster of this machine, with one actor of as many threads;
rates are of what follows the first block, when everything has been loaded. Keeping: a run over files that are not
there, whose entries are made up, so that nothing but the run's own bookkeeping is left; once from nothing, once more
when all is done. The last line is one JSON object, with which `docs/scale.md` computes.
"""

import argparse
import json
import os
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from folder import linked

from unlearnable import protect_folder
from unlearnable.folder.job import BLOCK, Job
from unlearnable.folder.manifest import MANIFEST, Entry, Report, read_manifest, write_manifest
from unlearnable.folder.run import run
from unlearnable.folder.scan import Found

Figures = dict[str, float]


def protected(source: Path, copies: Path, ray: bool) -> Figures:
    """Seconds until the first block is done, and files a second from then on."""
    moments = [time.perf_counter()]
    key = copies.parent / "key"
    protect_folder(source, copies, key=key, ray=ray, on_file=lambda *_: moments.append(time.perf_counter()))
    return {
        "first_block_seconds": round(moments[BLOCK] - moments[0], 1),
        "files_per_second": round((len(moments) - 1 - BLOCK) / (moments[-1] - moments[BLOCK]), 2),
    }


def sizes(source: Path, copies: Path) -> Figures:
    """Mean bytes of an original, of a copy, and of a line of the manifest; bytes of a copy to a pixel."""
    entries = read_manifest(copies).values()
    copied = sum((copies / str(entry.output)).stat().st_size for entry in entries)
    return {
        "original_bytes": round(sum((source / entry.file).stat().st_size for entry in entries) / len(entries)),
        "copy_bytes": round(copied / len(entries)),
        "copy_bytes_per_pixel": round(copied / sum(entry.width * entry.height for entry in entries), 2),
        "manifest_line_bytes": round((copies / MANIFEST).stat().st_size / len(entries)),
    }


def kept(work: Path, report: Report, like: Entry, count: int) -> None:
    """The bookkeeping of a run over ``count`` files whose entries are like one."""
    found = [Found(f"class{index % 1000:03}/{index:09}.jpg") for index in range(count)]

    def answers(_: Job, tasks: list) -> object:
        for index, task in enumerate(tasks):
            hashes = {"sha256_input": f"{index:064x}", "sha256_output": f"{index:064x}"}
            yield task.earlier or replace(like, file=task.file.name, output=task.output, **hashes)

    entries = run(Job(work, work, report, None), found, answers, None)
    write_manifest(work, entries)
    report.summarised(entries)


def seconds(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--files", type=int, default=3 * BLOCK, help="copies that are made, twice; more than a block")
    parser.add_argument("--lines", type=int, default=100_000, help="files that are only kept account of")
    arguments = parser.parse_args()
    os.environ.setdefault("RAY_worker_niceness", "0")  # as nice as what it is compared with
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        source = linked(arguments.photos, work / "source", arguments.files)
        result: dict[str, object] = {
            "here": protected(source, work / "here", ray=False),
            "ray": protected(source, work / "ray", ray=True),
            **sizes(source, work / "here"),
        }
        same = (work / "here" / MANIFEST).read_bytes() == (work / "ray" / MANIFEST).read_bytes()  # it holds all hashes
        report, like = Report.load(work / "here"), next(iter(read_manifest(work / "here").values()))
        (work / "kept").mkdir()
        for what in ("keeping", "resuming"):
            taken = seconds(lambda: kept(work / "kept", report, like, arguments.lines))
            result[f"{what}_seconds_per_million"] = round(taken * 1e6 / arguments.lines)
        tracemalloc.start()
        kept(work / "kept", report, like, arguments.lines)
        result["driver_bytes_per_file"] = round(tracemalloc.get_traced_memory()[1] / arguments.lines)
    print(json.dumps(result | {"same_bytes": same, "threads": torch.get_num_threads(), "cpus": os.cpu_count()}))


if __name__ == "__main__":
    main()
