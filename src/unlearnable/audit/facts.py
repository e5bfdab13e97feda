"""What an audit says in figures beside its table: means, what was audited and how, the files' budget and quality."""

from collections.abc import Iterable

from unlearnable.audit.outcome import Outcome, PublishedFolder
from unlearnable.bench.cell import Result
from unlearnable.datasets.checks import some
from unlearnable.images.visibility import in_words
from unlearnable.pages.score import Score
from unlearnable.pages.text import duration, score


def means(outcome: Outcome) -> list[str]:
    """The last row of the table: the four accuracies, and what the best epoch lost against clean pictures."""
    found = {name: Score(mean, None) for name, mean in outcome.means.items()}
    return [*map(score, found.values()), points(found["clean_peak"], found["peak"])]


def points(clean: Score, published: Score) -> str:
    """What the trainer's best lost against clean pictures, in points."""
    return f"{100 * (clean.mean - published.mean) + 0:.1f}"


def _trained(outcome: Outcome) -> str:
    return f", reduced to {outcome.trained} × {outcome.trained} px for training" if outcome.trained else ""


def facts(outcome: Outcome) -> list[tuple[str, str]]:
    """What was audited, how and on what."""
    results = [result for row in outcome.rows for result in (*row.clean, *row.protected)]
    found = [
        ("Training pictures", f"{outcome.train_count:,}"),
        ("Test pictures", f"{outcome.test_count:,}, clean"),
        ("Published pictures", f"{outcome.published.count:,}"),
        ("Classes", f"{len(outcome.classes):,}"),
        ("Picture size", f"{outcome.size} × {outcome.size} px" + _trained(outcome)),
        ("Victim", outcome.victim),
        ("Recipe", f"{outcome.recipe}, {outcome.epochs} epoch{'' if outcome.epochs == 1 else 's'}"),
        ("Trainings a row and set", f"{outcome.seeds}" + _seeds(results)),
    ]
    if outcome.protected_classes:
        names = [outcome.classes[index] for index in outcome.protected_classes]
        found.insert(4, ("Protected classes", f"{len(names)}: {', '.join(names)}"))
    if results:
        found += [
            ("Hardware", ", ".join(_distinct(result.device for result in results))),
            ("Time of all trainings", duration(sum(result.seconds for result in results))),
            ("Versions", ", ".join(_versions(results))),
        ]
    return found


def _seeds(results: list[Result]) -> str:
    seeds = sorted({result.cell.seed for result in results})
    return f" (seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))})" if seeds else ""


def _versions(results: list[Result]) -> list[str]:
    return _distinct(f"{name} {version}" for result in results for name, version in result.versions.items())


def _distinct(texts: Iterable[str]) -> list[str]:
    return sorted(set(texts))


def quality_facts(published: PublishedFolder) -> list[tuple[str, str]]:
    """The budget and the measures of the published set."""
    found = [("Promised budget", published.budget or "none: there is no report of the set")]
    if published.ambiguous:
        found.append(("Not measured, as originals share the name but for the suffix", some(published.ambiguous)))
    rms, linf, psnr, ssim = map(published.spread, ("rms", "linf", "psnr", "ssim"))
    if rms is None or linf is None or ssim is None:
        return found
    measured = len(published.qualities)
    if published.budget:
        found.append(("Files over it", f"{published.over_budget:,} of {measured:,} measured"))
    unchanged = sum(quality.psnr is None for quality in published.qualities)
    psnrs = f"mean {psnr.mean:.2f}, lowest {psnr.worst:.2f}" if psnr else "–"
    return [
        *found,
        ("RMS difference, grey levels", f"mean {rms.mean:.2f}, highest {rms.worst:.2f}"),
        ("L-inf, grey levels", f"highest {linf.worst:g}"),
        ("PSNR, dB", psnrs + (f" (without {unchanged:,} unchanged)" if unchanged else "")),
        ("SSIM", f"mean {ssim.mean:.4f}, lowest {ssim.worst:.4f}"),
        *_visibility_facts(published),
    ]


def _visibility_facts(published: PublishedFolder) -> list[tuple[str, str]]:
    """What people see of the sample, in figures and in words."""
    seen = published.visibility
    if seen is None:
        return []
    return [
        ("Files of which visibility was measured", f"{seen.files:,}, from all over the set"),
        ("To the eye, on average", in_words(seen.ssimulacra2_mean)),
        (
            "SSIMULACRA2",
            f"mean {seen.ssimulacra2_mean:.1f}, tenth percentile {seen.ssimulacra2_p10:.1f}, "
            f"lowest {seen.ssimulacra2_min:.1f}",
        ),
        ("Worst crop at 100 %", f"{seen.worst_crop_min:.1f}, {in_words(seen.worst_crop_min)}"),
        ("FLIP", f"mean {seen.flip_mean:.3f}"),
    ]
