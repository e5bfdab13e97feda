"""Accuse two classifiers of digits, one that was trained on the protected copies and an innocent one."""

import shutil
import sys
from pathlib import Path

from sample_pictures import sample_pictures

from unlearnable import (
    countermeasure_named,
    fit,
    judge_answers,
    load,
    make_probes,
    protect_folder,
    recipe_named,
    victim_named,
)
from unlearnable.accuse.page import PAGE, write_judgement
from unlearnable.accuse.suspects import of_victim
from unlearnable.accuse.words import headline

out = Path(sys.argv[1] if len(sys.argv) > 1 else "accuse_digits_example")
digits = out / "samples" / "digits"
sample_pictures(out / "samples")
if not (out / "digits" / "report.json").exists():
    # Nobody looks at 16 px: all of the budget. Dealt by what such pictures look like, nearly all keys would agree, and
    # the owner's could not be told from decoys: they are dealt in order.
    protect_folder(digits / "train", out / "digits", key=out / "key", strength="full", deal="order")
shutil.rmtree(out / "accusation", ignore_errors=True)

test = load(f"folder:path={digits / 'test'},size=16")
victim, recipe = victim_named("resnet9:width=8"), recipe_named("quick:epochs=18")
probes = out / "accusation" / "probes"
probes.parent.mkdir(parents=True)
sealed = make_probes(out / "digits", digits / "test", out / "key", probes, originals=digits / "train")
print(f"{len(sealed.files)} pictures to show, sealed: {sealed.seal[:16]}…")
for name, folder in {"trained on the copies": out / "digits", "innocent": digits / "train"}.items():
    pictures = load(f"folder:path={folder},size=16")
    model = fit(victim, pictures, test, countermeasure_named("vanilla"), recipe).model
    judgement = judge_answers(sealed, of_victim(model, 16, pictures.classes).ask(probes, sealed))
    place = out / "accusation" / name.replace(" ", "_")
    write_judgement(judgement, place)
    print(f"the classifier that is {name}: {headline(judgement)}\nlook at {place / PAGE}")
