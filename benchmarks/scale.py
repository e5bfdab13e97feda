"""What a very large folder costs: rate and size of the copies, here and on Ray, and the keeping of the manifest.

    python benchmarks/scale.py PHOTOS

Copies: some of PHOTOS are protected here and then on a Ray cluster of this machine, by as many actors of as many
threads as there is room for; a run of one file says what starting takes, and a run with noise what is left without the
network. None of them measures what people see, which is of eight files, however many there are. Keeping: a run over
files that are not there, whose entries are made up, so that nothing but the run's own bookkeeping is left; once from
nothing, once more when all is done. The last line is one JSON object, with which `docs/scale.md` computes.
"""

import argparse
import json
import os
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from folder import linked

from unlearnable import protect_folder
from unlearnable.compute.ray import connect
from unlearnable.folder.job import FileTask, FolderJob, run
from unlearnable.folder.manifest import ManifestEntry, Report, read_manifest, write_manifest
from unlearnable.folder.ray import rows_of
from unlearnable.images.scan import MANIFEST, Found

Figures = dict[str, float]


def protected(one: Path, many: Path, copies: Path, **options: object) -> Figures:
    """Seconds that starting takes, and files a second from then on."""
    starting, whole = (
        wall_seconds(lambda: protect_folder(source, to, key=copies.parent / "key", visibility=0, **options))  # noqa: B023
        for source, to in ((one, copies.with_suffix(".one")), (many, copies))
    )
    files = len(read_manifest(copies)) - 1
    return {"starting_seconds": round(starting, 1), "files_per_second": round(files / (whole - starting), 2)}


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


def kept(work: Path, report: Report, like: ManifestEntry, count: int) -> int:
    """The bookkeeping of a run over ``count`` files whose entries are like one; bytes that would go to the actors."""
    sent = 0
    found = [Found(f"class{index % 1000:03}/{index:09}.jpg") for index in range(count)]

    def answers(_: FolderJob, tasks: list[FileTask]) -> Iterator[ManifestEntry]:
        nonlocal sent
        sent = sum(len(row["block"]) for row in rows_of(tasks))
        for index, task in enumerate(tasks):
            hashes = {"sha256_input": f"{index:064x}", "sha256_output": f"{index:064x}"}
            yield task.earlier or replace(like, file=task.file.name, output=task.output, **hashes)

    entries = run(FolderJob(work, work, report, None), found, answers, None)
    write_manifest(work, entries)
    report.summarised(entries)
    return sent


def wall_seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--files", type=int, default=256, help="copies that are made, twice")
    parser.add_argument("--lines", type=int, default=100_000, help="files that are only kept account of")
    arguments = parser.parse_args()
    os.environ.setdefault("RAY_worker_niceness", "0")  # as nice as what it is compared with
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        one, many = linked(arguments.photos, work / "one", 1), linked(arguments.photos, work / "many", arguments.files)
        starting = wall_seconds(connect)
        result: dict[str, object] = {
            "files": arguments.files,
            "here": protected(one, many, work / "here"),
            "here_noise": protected(one, many, work / "noise", method="noise"),
            "cluster_starting_seconds": round(starting, 1),
            "ray": protected(one, many, work / "ray", ray=True),
            **sizes(many, work / "here"),
        }
        same = (work / "here" / MANIFEST).read_bytes() == (work / "ray" / MANIFEST).read_bytes()  # it holds all hashes
        report, like = Report.load(work / "here"), next(iter(read_manifest(work / "here").values()))
        (work / "kept").mkdir()
        for what in ("keeping", "resuming"):
            start = time.process_time()
            sent = kept(work / "kept", report, like, arguments.lines)
            taken = time.process_time() - start
            result[f"{what}_seconds_per_million"] = round(taken * 1e6 / arguments.lines)
            result[f"{what}_bytes_sent_per_file"] = round(sent / arguments.lines)
        tracemalloc.start()
        kept(work / "kept", report, like, arguments.lines)
        result["driver_bytes_per_file"] = round(tracemalloc.get_traced_memory()[1] / arguments.lines)
    print(json.dumps(result | {"same_bytes": same, "threads": torch.get_num_threads(), "cpus": os.cpu_count()}))


if __name__ == "__main__":
    main()
