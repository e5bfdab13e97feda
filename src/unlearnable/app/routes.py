"""What the page can ask for. Nothing is served but the page, and what its own jobs made."""

import zipfile
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from unlearnable.app.accusing import accusing
from unlearnable.app.auditing import auditing
from unlearnable.app.checking import checking, kinds_of
from unlearnable.app.comparing import compared
from unlearnable.app.form import Form
from unlearnable.app.jobs import BusyError, Job
from unlearnable.app.page import page
from unlearnable.app.protecting import protecting
from unlearnable.app.session import Session
from unlearnable.folder.manifest import read_manifest
from unlearnable.images.scan import MANIFEST, REPORT
from unlearnable.storage.atomic import replacing

KINDS: dict[str, Callable[[Session, Form], Callable[[Job], None]]] = {
    "protect": protecting,
    "check": checking,
    "audit": auditing,
    "accuse": accusing,
}
PARTS = {
    "style.css": "text/css",
    "app.css": "text/css",
    "app.js": "text/javascript",
    "dropping.js": "text/javascript",
    "jobs.js": "text/javascript",
    "tabs.js": "text/javascript",
}
REPORTED = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
REPORTED += "sandbox allow-scripts; frame-ancestors 'self'"  # a report can ask nothing of the page that shows it


def routes(session: Session) -> Starlette:
    """Everything that answers."""
    zipping = Lock()  # two downloads at once wait for one archive

    def home(request: Request) -> Response:
        return HTMLResponse(page(session.key))

    def part(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in PARTS:
            return _refused("there is no such part of the page", 404)
        return Response(_part(name), media_type=PARTS[name])

    def new_batch(request: Request) -> Response:
        return JSONResponse({"batch": session.new_folder("dropped").name})

    async def drop(request: Request) -> Response:
        file = session.place(request.path_params["batch"], request.path_params["name"])
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as temporary, temporary.open("wb") as written:
            async for chunk in request.stream():
                await run_in_threadpool(written.write, chunk)
        return JSONResponse({})

    async def begin(request: Request) -> Response:
        kind = request.path_params["kind"]
        if kind not in KINDS:
            return _refused("there is no such tab", 404)
        fields = await request.json()
        if not isinstance(fields, dict):
            raise ValueError("expected the fields of a form")
        work = await run_in_threadpool(KINDS[kind], session, Form(fields))
        return JSONResponse({"job": session.desk.begin(kind, work).number})

    def jobs(request: Request) -> Response:
        latest = {job.kind: job.number for job in session.desk.jobs.values()}
        return JSONResponse(latest)

    def state(request: Request) -> Response:
        return JSONResponse(_state(_job(request), int(request.query_params.get("since", "0"))))

    def stop(request: Request) -> Response:
        _job(request).stop()
        return JSONResponse({})

    def compare(request: Request) -> Response:
        job = _job(request)
        if not job.copies:
            raise ValueError("nothing was protected by this")
        return JSONResponse(asdict(compared(job.copies, request.query_params.get("file", ""))))

    def report(request: Request) -> Response:
        job = _job(request)
        if not job.page:
            return _refused("there is no such page", 404)
        return HTMLResponse(job.page.read_text(encoding="utf-8"), headers={"content-security-policy": REPORTED})

    def zipped(request: Request) -> Response:
        job = _job(request)
        if not job.copies or not job.zipped or job.state != "done":
            return _refused("there are no copies to download", 404)
        with zipping:
            archive = _zip(session, job)
        return FileResponse(archive, filename="protected.zip", media_type="application/zip")

    def kinds(request: Request) -> Response:
        folder = Form(dict(request.query_params)).path("protected", "the folder of your copies")
        return JSONResponse({"kinds": kinds_of(folder)})

    def _job(request: Request) -> Job:
        job = session.desk.jobs.get(request.path_params["number"])
        if not job:
            raise ValueError("there is no such work any more; the page was started anew")
        return job

    return Starlette(
        routes=[
            Route("/", home),
            Route("/parts/{name}", part),
            Route("/dropped", new_batch, methods=["POST"]),
            Route("/dropped/{batch}/{name:path}", drop, methods=["PUT"]),
            Route("/kinds", kinds),
            Route("/jobs", jobs),
            Route("/jobs/{kind:str}", begin, methods=["POST"]),
            Route("/jobs/{number:int}", state),
            Route("/jobs/{number:int}/stop", stop, methods=["POST"]),
            Route("/jobs/{number:int}/compare", compare),
            Route("/jobs/{number:int}/report", report),
            Route("/jobs/{number:int}/copies.zip", zipped),
        ],
        exception_handlers={BusyError: _busy, ValueError: _wrong, OSError: _wrong, Exception: _broken},
    )


def _state(job: Job, since: int) -> dict[str, Any]:
    """How a job stands, and files of which was not told yet."""
    state = job.state  # before the rest: what is told of an ended job is complete
    rows, following = job.rows_since(since)
    return {
        "state": state,
        "what": job.step or job.what,
        "done": job.done,
        "total": job.total,
        "left": job.time_left(),
        "sentences": list(job.sentences),
        "counts": job.counts(),
        "rows": [asdict(row) | {"file": _shown(row.file)} for row in rows],
        "next": following,
        "more": following < job.told,
        "report": job.page is not None and state == "done",
        "pictures": job.pictures if state != "running" else [],
        "copies": job.copies is not None,
        "zipped": job.zipped and state == "done",
    }


def _zip(session: Session, job: Job) -> Path:
    """The copies as they are in their folder; what is compressed already is not compressed again."""
    assert job.copies
    dst, file = job.copies.dst, session.folder / f"protected{job.number}.zip"
    if not file.exists():
        names = [str(entry.output) for entry in read_manifest(dst).values() if entry.output]
        with replacing(file) as temporary, zipfile.ZipFile(temporary, "w", strict_timestamps=False) as archive:
            for name in [*names, MANIFEST, REPORT]:
                archive.write(dst / name, _shown(name))
    return file


def _shown(name: str) -> str:
    """A file's name as text: what is no UTF-8 in it is escaped."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


@cache
def _part(name: str) -> bytes:
    shared = name == "style.css"  # by all pages
    return (files("unlearnable.pages" if shared else "unlearnable.app") / name).read_bytes()


def _refused(reason: str, code: int) -> Response:
    return JSONResponse({"error": reason}, status_code=code)


def _wrong(request: Request, error: Exception) -> Response:
    return _refused(str(error), 400)


def _busy(request: Request, error: Exception) -> Response:
    return _refused(str(error), 409)


def _broken(request: Request, error: Exception) -> Response:
    """It is a fault of ours; the terminal says where."""
    return _refused(f"Something went wrong that should not: {type(error).__name__}: {error}", 500)
