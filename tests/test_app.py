"""The page for people without a terminal, asked as a browser asks it."""

import hashlib
import http.client
import io
import json
import socket
import threading
import time
import zipfile
from functools import partial
from itertools import count
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from samples import opened, picture
from unlearnable import (
    ProtectOptions,
    countermeasure_named,
    fit,
    load,
    protect_folder,
    recipe_named,
    verify_folder,
    victim_named,
)
from unlearnable.accuse.sealed import PICTURES, TEMPLATE, Sealed
from unlearnable.app import auditing, choices
from unlearnable.app.form import Form
from unlearnable.app.jobs import Job, in_words
from unlearnable.app.server import HERE, server_of
from unlearnable.app.session import Session
from unlearnable.folder.manifest import Report, read_manifest
from unlearnable.victims.features import save_weights

TOKEN = "of this test"


class Browser:
    """Sends what a browser would, and reads the answer."""

    def __init__(self, port):
        self.port = port
        self.headers = {"Host": f"{HERE}:{port}", "Cookie": f"unlearnable-{port}={TOKEN}"}

    def ask(self, method, address, body=None, **headers):
        given = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(HERE, self.port, timeout=120)
        connection.putrequest(method, address, skip_host=True)
        content = json.dumps(body).encode() if isinstance(body, dict) else body or b""
        for name, value in (given | {"Content-Length": str(len(content))}).items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(content)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content, answer.headers

    def json(self, method, address, body=None, code=200):
        status, content, _ = self.ask(method, address, body, Origin=f"http://{HERE}:{self.port}")
        assert status == code, content
        return json.loads(content)

    def drop(self, files):
        """Drop files by their names; the batch."""
        batch = self.json("POST", "/dropped")["batch"]
        for name, content in files.items():
            self.json("PUT", f"/dropped/{batch}/{quote(name)}", content)
        return batch

    def begin(self, kind, /, **fields):
        return self.json("POST", f"/jobs/{kind}", fields)["job"]

    def state(self, number):
        return self.json("GET", f"/jobs/{number}")

    def ended(self, number):
        """The state of a job when it has ended."""
        for _ in range(1200):
            if (now := self.state(number))["state"] not in ("running", "stopping"):
                return now
            time.sleep(0.05)
        raise AssertionError(now)

    def done(self, kind, /, **fields):
        now = self.ended(number := self.begin(kind, **fields))
        assert now["state"] == "done", now["sentences"]
        return number, now


@pytest.fixture
def browser(tmp_path, weights):
    session = Session(tmp_path / "key", str(weights))
    with socket.create_server((HERE, 0)) as listening:
        server = server_of(session, port := listening.getsockname()[1], TOKEN, "once")
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield Browser(port)
        server.should_exit = True
        thread.join()
    session.close()
    assert not session.folder.exists()


def bytes_of(image, kind="PNG"):
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


PHOTOS = {"cat/a.png": bytes_of(picture(1, 48, 40)), "cat/b b.png": bytes_of(picture(2, 48, 40))}
PHOTOS["dog/ö.jpg"] = bytes_of(picture(3, 64, 32), "JPEG")
PROTECT = {"strength": "standard", "format": "png"}


def written(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")}


@pytest.fixture
def photos(tmp_path):
    for name, content in PHOTOS.items():
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return tmp_path / "photos"


def test_the_same_bytes_as_the_command_writes(browser, photos, tmp_path, weights):
    (tmp_path / "key").write_bytes(bytes(32))
    protect_folder(
        photos, tmp_path / "command", ProtectOptions(strength="standard", weights=weights), key=tmp_path / "key"
    )
    number, now = browser.done("protect", batch=browser.drop(PHOTOS), copies="zip", **PROTECT)
    assert now["counts"] == {"protected": 3} and now["zipped"] and not now["report"]
    assert {row["file"] for row in now["rows"]} == set(PHOTOS)
    assert any(str(tmp_path / "key") in sentence for sentence in now["sentences"])
    status, content, headers = browser.ask("GET", f"/jobs/{number}/copies.zip")
    assert status == 200 and "protected.zip" in headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(tmp_path / "page")
    expected = written(tmp_path / "command")
    assert len(expected) == 3 and written(tmp_path / "page") == expected
    assert verify_folder(tmp_path / "page", photos).ok
    browser.done("protect", source=str(photos), destination=str(tmp_path / "place"), copies="folder", **PROTECT)
    assert written(tmp_path / "place") == expected
    assert Report.load(tmp_path / "place") == Report.load(tmp_path / "command")  # so that either resumes the other


def test_before_and_after_are_the_files(browser):
    number, _ = browser.done("protect", batch=browser.drop(PHOTOS), copies="zip", **PROTECT)
    found = browser.json("GET", f"/jobs/{number}/compare?file={quote('dog/ö.jpg')}")
    assert (found["width"], found["height"]) == (64, 32)
    assert found["before"] != found["after"] and len(found["others"]) == 3
    assert "SSIMULACRA2" in found["words"]
    assert "was not protected" in browser.json("GET", f"/jobs/{number}/compare?file=nobody.png", code=400)["error"]
    assert "was not protected" in browser.json("GET", f"/jobs/{number}/compare?file=/etc/passwd", code=400)["error"]


def test_a_broken_file_is_a_row_with_its_reason(browser):
    files = PHOTOS | {"cat/broken.jpg": b"no picture", "cat/half.png": PHOTOS["cat/a.png"][:200]}
    _, now = browser.done("protect", batch=browser.drop(files), copies="zip", **PROTECT)
    assert now["counts"] == {"protected": 3, "skipped": 2}
    reasons = {row["file"]: row["reason"] for row in now["rows"] if row["status"] == "skipped"}
    assert set(reasons) == {"cat/broken.jpg", "cat/half.png"} and all(reasons.values())
    _, now = browser.done("protect", batch=browser.drop({"broken.jpg": b"no"}), copies="zip", **PROTECT)
    assert "No picture could be read" in now["sentences"][0]


def test_stopped_in_the_middle_it_resumes(browser, tmp_path):
    (source := tmp_path / "many").mkdir()
    for index in range(40):
        picture(index, 64, 64).save(source / f"{index:02}.png")
    asked = PROTECT | {"source": str(source), "destination": str(tmp_path / "out"), "copies": "folder"}
    number = browser.begin("protect", **asked)
    while not browser.state(number)["rows"]:
        time.sleep(0.01)
    assert "at work" in browser.json("POST", "/jobs/protect", asked, code=409)["error"]
    browser.json("POST", f"/jobs/{number}/stop")
    now = browser.ended(number)
    assert now["state"] == "stopped" and 0 < len(now["rows"]) < 40
    listed = read_manifest(tmp_path / "out")
    assert 0 < len(listed) < 40
    for entry in listed.values():
        copy = tmp_path / "out" / entry.output
        assert hashlib.sha256(copy.read_bytes()).hexdigest() == entry.sha256_output
    assert all(opened(copy).size == (64, 64) for copy in (tmp_path / "out").glob("*.png"))
    assert not [path for path in (tmp_path / "out").iterdir() if path.suffix == ".partial" or path.name == ".lock"]
    kept = {name: (tmp_path / "out" / entry.output).stat().st_mtime_ns for name, entry in listed.items()}
    _, now = browser.done("protect", **asked)
    assert now["counts"] == {"protected": 40}
    assert verify_folder(tmp_path / "out", source).ok
    after = {name: (tmp_path / "out" / entry.output).stat().st_mtime_ns for name, entry in listed.items()}
    assert after == kept


def test_many_files_are_told_of_in_parts(browser):
    flat = {f"{index}.png": bytes_of(Image.new("RGB", (8, 8), (index % 256, index // 256, 0))) for index in range(420)}
    number = browser.begin("protect", batch=browser.drop(flat), copies="zip", strength="full", format="png")
    browser.ended(number)
    first = browser.state(number)
    rest = browser.json("GET", f"/jobs/{number}?since={first['next']}")
    assert len(first["rows"]) == 400 and first["more"] and not rest["more"]
    assert {row["file"] for row in first["rows"] + rest["rows"]} == set(flat)


def test_what_will_not_do_is_said(browser, photos, tmp_path):
    def error(kind, /, **fields):
        return browser.json("POST", f"/jobs/{kind}", fields, code=400)["error"]

    assert "expected the folder of your pictures" in error("protect", copies="zip", **PROTECT)
    assert "the whole place" in error("protect", source="photos", copies="zip", **PROTECT)
    assert "clear one" in error("protect", batch=browser.drop(PHOTOS), source=str(photos), copies="zip", **PROTECT)
    assert "expected a folder for the copies" in error("protect", source=str(photos), copies="folder", **PROTECT)
    assert "expected of strength" in error("protect", source=str(photos), copies="zip", strength="x", format="png")
    assert "drop them again" in error("protect", batch="../..", copies="zip", **PROTECT)
    assert "there is none at" in error("check", batch=browser.drop(PHOTOS), protected=str(tmp_path))
    assert "one thing at least" in error("audit", countermeasures=["unheard of"])
    assert "expected of step" in error("accuse")
    inside = browser.begin("protect", source=str(photos), destination=str(photos / "in"), copies="folder", **PROTECT)
    now = browser.ended(inside)
    assert now["state"] == "failed" and "lie one in the other" in now["sentences"][0]
    assert not (photos / "in").exists()


def test_a_found_copy_is_known_again(browser, tmp_path, monkeypatch):
    """With the weights that ship: what a random network hides is not found."""
    monkeypatch.setattr("unlearnable.folder.found.MOST", 199)
    source = tmp_path / "source"
    for index in range(6):
        (source / f"k{index % 2}").mkdir(parents=True, exist_ok=True)
        picture(index, 96, 96).save(source / f"k{index % 2}" / f"{index}.png")
    (tmp_path / "key").write_bytes(bytes(range(32)))
    protect_folder(source, tmp_path / "copies", key=tmp_path / "key", strength="full", visibility=0)
    assert browser.json("GET", f"/kinds?protected={tmp_path / 'copies'}") == {"kinds": ["k0", "k1"]}
    found = bytes_of(opened(tmp_path / "copies" / "k1" / "3.png"))
    files = {"found.png": found, "mine not.png": bytes_of(picture(77, 96, 96)), "broken.png": b"no picture"}
    asked = {"protected": str(tmp_path / "copies"), "kind": "any"}
    _, now = browser.done("check", batch=browser.drop(files), **asked)
    said = {row["file"]: row for row in now["rows"]}
    assert said["found.png"]["status"] == "yours" and "that of k1" in said["found.png"]["reason"]
    assert said["mine not.png"]["status"] == "not shown"
    assert said["broken.png"]["status"] == "skipped"
    assert "All together, if they are of one kind" in said
    assert len(now["pictures"]) == 4 and "of every other key as many" in now["sentences"][2]


def test_an_audit_and_its_page(browser, tmp_path, weights, monkeypatch):
    tiny = partial(auditing.AuditOptions, victim="resnet9:width=2", recipe="quick:epochs=2")
    monkeypatch.setattr(auditing, "AuditOptions", tiny)
    load("toy:count=48").save(tmp_path / "train")
    load("toy:count=40,seed=1").save(tmp_path / "test")
    protect_folder(tmp_path / "train", tmp_path / "protected", key=tmp_path / "key", weights=weights)
    places = {"protected": "protected", "originals": "train", "test": "test", "out": "out"}
    asked = {name: str(tmp_path / place) for name, place in places.items()}
    number, now = browser.done("audit", countermeasures=["vanilla", "gray"], size="", **asked)
    assert now["report"] and now["done"] == now["total"]
    status, page, headers = browser.ask("GET", f"/jobs/{number}/report")
    assert status == 200 and b"vanilla" in page and page == (tmp_path / "out" / "audit.html").read_bytes()
    assert "sandbox allow-scripts" in headers["content-security-policy"]  # it can ask nothing of this page


def test_an_audit_that_is_stopped_resumes(tmp_path, weights, monkeypatch):
    """Between trainings and in the middle of one."""
    tiny = partial(auditing.AuditOptions, victim="resnet9:width=2", recipe="quick:epochs=3")
    monkeypatch.setattr(auditing, "AuditOptions", tiny)
    load("toy:count=48").save(tmp_path / "train")
    load("toy:count=40,seed=1").save(tmp_path / "test")
    protect_folder(tmp_path / "train", tmp_path / "protected", key=tmp_path / "key", weights=weights)
    places = {"protected": "protected", "originals": "train", "test": "test", "out": "out"}
    fields = {name: str(tmp_path / place) for name, place in places.items()} | {"countermeasures": ["vanilla"]}
    session = Session(tmp_path / "key")

    def job_until(step):
        """A job that is stopped at so many steps."""
        job, steps = Job(1, "audit", auditing.auditing(session, Form(fields))), count(1)

        def at(*now):
            if next(steps) == step:
                job.stop()
            Job.at(job, *now)

        job.at = at
        job.run()
        return job

    for step in (2, 3, 6):
        stopped = job_until(step)
        assert stopped.state == "stopped" and not stopped.sentences
        assert not (tmp_path / "out" / ".lock").exists()
    assert job_until(1000).state == "done"
    session.close()


def test_an_accusation_from_probes_to_page(browser, tmp_path, weights):
    load("toy:count=48").save(tmp_path / "photos")
    load("toy:count=200,seed=1").save(tmp_path / "others")
    protect_folder(tmp_path / "photos", tmp_path / "protected", key=tmp_path / "key", weights=weights)
    places = {"protected": "protected", "originals": "photos", "clean": "others", "out": "probes"}
    asked = {name: str(tmp_path / place) for name, place in places.items()}
    _, now = browser.done("accuse", step="probe", queries="400", **asked)
    sealed = Sealed.load(tmp_path / "probes")
    assert sealed.seal in now["sentences"][2] and (tmp_path / "probes" / PICTURES).is_dir()
    answers = np.random.default_rng(0).choice(sealed.classes, len(sealed.files))
    lines = ["picture,answer", *(f"{file},{answer}" for file, answer in zip(sealed.files, answers, strict=True))]
    (tmp_path / "probes" / TEMPLATE).write_text("\n".join(lines) + "\n")
    judged = {"probes": str(tmp_path / "probes"), "answers": str(tmp_path / "probes" / TEMPLATE)}
    number, now = browser.done("accuse", step="judge", **judged)
    assert now["report"] and now["sentences"][0].startswith(("Not shown", "Shown"))
    assert browser.ask("GET", f"/jobs/{number}/report")[0] == 200
    data, recipe = load("toy:count=48"), recipe_named("quick:epochs=1")
    trained = fit(victim_named("resnet9:width=2"), data, data, countermeasure_named("vanilla"), recipe)
    save_weights(trained.model, tmp_path / "m.safetensors", data.classes)
    model = {"model": str(tmp_path / "m.safetensors"), "network": "resnet9:width=2", "size": "16"}
    number, now = browser.done("accuse", step="model", **model, **asked)
    assert now["report"] and "p = " in now["sentences"][0]
    nothing = browser.begin("accuse", step="model", model=str(tmp_path / "m.onnx"), **asked)
    assert "expected a model FILE.onnx" in browser.ended(nothing)["sentences"][0]


def test_options_appear_when_the_command_has_them(browser):
    assert [name for name, _, _ in choices.strengths()] == ["light", "standard", "strong"]
    page = browser.ask("GET", "/")[1].decode()
    for option in ("platform", "classes", "strip_location"):
        assert (f'name="{option}"' in page) == choices.has(option)
    assert "http:" not in page.replace(f"http://{HERE}", "") and "https:" not in page


def test_only_the_page_itself_may_ask(browser):
    own = f"http://{HERE}:{browser.port}"
    assert browser.ask("GET", "/")[0] == 200
    assert browser.ask("GET", "/", Host=f"localhost:{browser.port}", Cookie=browser.headers["Cookie"])[0] == 200
    for address, method in (("/", "GET"), ("/jobs", "GET"), ("/dropped", "POST"), ("/jobs/protect", "POST")):
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": f"http://{HERE}:{browser.port + 1}"},
            {"Host": "evil.example"},
            {"Host": f"evil.example:{browser.port}"},
            {"Host": None},
            {"Host": HERE},
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"},
            {"Cookie": None},
            {"Cookie": f"unlearnable-{browser.port}=guessed"},
            {"Cookie": f"unlearnable-{browser.port + 1}={TOKEN}"},
        ):
            status, content, answer = browser.ask(method, address, b"{}", **headers)
            assert status in (400, 403), (address, headers)
            assert TOKEN.encode() not in content and "access-control-allow-origin" not in answer
    assert browser.ask("OPTIONS", "/dropped", Origin="https://evil.example")[0] == 403
    assert browser.ask("POST", "/dropped", Origin=own)[0] == 200
    status, _, headers = browser.ask("GET", f"/?token={quote(TOKEN)}", Cookie=None)
    assert status == 303 and headers["location"] == "/"
    assert "HttpOnly" in headers["set-cookie"] and "samesite=strict" in headers["set-cookie"].lower()
    assert browser.ask("GET", "/?token=guessed", Cookie=None)[0] == 403
    assert [browser.ask("GET", "/?token=once", Cookie=None)[0] for _ in range(2)] == [303, 403]
    assert browser.ask("GET", "/?token=", Cookie=None)[0] == 403


def test_no_file_is_served_but_what_the_page_made(browser, tmp_path):
    (tmp_path / "key").write_bytes(secret := bytes(range(32)))
    number, _ = browser.done("protect", batch=browser.drop(PHOTOS), copies="zip", **PROTECT)
    for address in (
        "/etc/passwd",
        "/../../etc/passwd",
        "/file=/etc/passwd",
        "/gradio_api/file=/etc/passwd",
        f"/file={tmp_path / 'key'}",
        f"/parts/{tmp_path / 'key'}",
        "/parts/..%2Fguard.py",
        "/parts/guard.py",
        "/parts/page.html.j2",
        "/dropped/dropped1/cat/a.png",
        f"/jobs/{number}/report",
        f"/jobs/{number}/compare?file={quote(str(tmp_path / 'key'))}",
        f"/jobs/{number}/compare?file=../key",
    ):
        status, content, _ = browser.ask("GET", address)
        assert status in (400, 403, 404, 405), address
        assert secret not in content and b"root:" not in content
    assert secret not in browser.ask("GET", f"/jobs/{number}/copies.zip")[1]


@pytest.mark.parametrize("name", ["../out.png", "a/../../out.png", "%2Fetc/out.png", "..%2Fout.png", "", "a%00.png"])
def test_nothing_is_dropped_outside_of_its_folder(browser, tmp_path, name):
    batch = browser.drop({})
    status, _, _ = browser.ask("PUT", f"/dropped/{batch}/{name}", b"x")
    assert status in (400, 404)
    assert browser.ask("PUT", "/dropped/copies1/a.png", b"x")[0] == 400
    assert browser.ask("PUT", "/dropped/..%2Fa.png", b"x")[0] in (400, 404)


def test_two_files_of_one_name_are_not_mixed_up(browser):
    batch = browser.drop({"a.png": b"one"})
    assert "dropped already" in browser.json("PUT", f"/dropped/{batch}/a.png", b"two", code=400)["error"]


def test_a_job_says_how_long_and_ends_whatever_happens(capsys):
    def work(job):
        job.at("hiding", 0, 100)
        time.sleep(0.02)
        job.at("hiding", 50, 100)
        seen.append(job.time_left())
        raise KeyError("a fault")

    seen = []
    job = Job(1, "protect", work)
    job.run()
    assert seen == ["about 1 s left"] and job.time_left() == ""
    assert job.state == "failed" and job.sentences == ["Something went wrong that should not: KeyError: 'a fault'"]
    assert "Traceback" in capsys.readouterr().err
    assert [in_words(seconds) for seconds in (0, 80, 600, 9000)] == [
        *("about 1 s left", "about 80 s left", "about 10 min left", "about 2.5 h left")
    ]


def test_what_is_typed_is_read_or_refused():
    where = {"quoted": '"/a b"', "home": "~/x", "short": "x", "nobody": "~nobody-at-all/x", "none": ""}
    form = Form(where)
    assert str(form.path("quoted", "it")) == "/a b" and form.path("home", "it").is_absolute()
    assert form.path_or_none("none", "it") is None
    assert form.colours("none", "it", 1.0) == (1.0,)
    assert Form({"mean": "0.5, 0.4,0.3"}).colours("mean", "it", 0.0) == (0.5, 0.4, 0.3)
    with pytest.raises(ValueError, match="one number, or three"):
        Form({"mean": "1,2"}).colours("mean", "it", 0.0)
    for name in ("short", "nobody", "none"):
        with pytest.raises(ValueError, match="expected"):
            form.path(name, "it")
