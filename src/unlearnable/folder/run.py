"""One run over a folder: the files are handed out, and the manifest tells which are done, so that a killed run resumes.

A file counts as done when its line stands in the manifest, after its picture has been put in place whole.
"""

from collections.abc import Callable, Iterator

from unlearnable.folder.job import Job, Task
from unlearnable.folder.manifest import MANIFEST, Entry, read_manifest, write_manifest
from unlearnable.folder.scan import Found, output_names
from unlearnable.photos import SUFFIX

Doing = Callable[[Job, list[Task]], Iterator[Entry]]  # does the tasks of a job; entries come as they are finished


def run(job: Job, found: list[Found], do: Doing, on_file: Callable[[int, int], None] | None) -> list[Entry]:
    """Bring every file to its end and return all entries, those of files that are gone among them.

    Args:
        job: what is done to a file.
        found: the files, in order.
        do: who does it: `Job.run` here, `cluster.run` on a cluster.
        on_file: called with (files done, files in all) after every file.
    """
    done = read_manifest(job.dst)
    kept = {name: entry.output for name, entry in done.items() if entry.output}
    names = output_names([file.name for file in found], SUFFIX[job.options["format"]], kept)
    write_manifest(job.dst, done.values())  # drops a torn last line before more are appended
    entries = []
    with (job.dst / MANIFEST).open("a", buffering=1) as manifest:  # line by line
        for entry in do(job, [Task(file, names[file.name], done.get(file.name)) for file in found]):
            if done.get(entry.file) != entry:
                manifest.write(entry.to_line() + "\n")
            entries.append(entry)
            if on_file:
                on_file(len(entries), len(found))
    gone = done.keys() - {file.name for file in found}  # their copies are still there
    return entries + [done[name] for name in gone]
