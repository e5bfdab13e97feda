"""What a command costs before its work begins is what it imports; counted here, timed by benchmarks/startup.py."""

import subprocess
import sys

from samples import picture

HEAVY = (
    *("torchvision", "torch._dynamo", "kornia", "timm", "sklearn", "scipy", "pandas", "cv2"),
    *("huggingface_hub", "diffusers", "transformers", "datasets", "ray"),
)


def imported(program, *arguments, among):
    """Which of these modules are there when a program in a new process has ended."""
    program += f"\nimport sys; print([name for name in {among} if name in sys.modules])"
    words = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def test_help_imports_nothing_heavy():
    assert imported("import unlearnable, unlearnable.cli", among=("torch", "numpy", "PIL", *HEAVY)) == "[]"


def test_protect_imports_what_hiding_needs_alone(tmp_path):
    (tmp_path / "in").mkdir()
    picture(1).save(tmp_path / "in" / "a.png")
    program = "import sys; from unlearnable.cli import app; app(sys.argv[1:], standalone_mode=False)"

    def protecting(out, *words):
        places = ("protect", tmp_path / "in", tmp_path / out, "--key", tmp_path / "key")
        return imported(program, *places, *words, among=("torch", "matplotlib", *HEAVY))

    assert protecting("full", "--strength", "full", "--visibility", "none") == "['torch']"
    assert protecting("standard", "--visibility", "none") == "['torch', 'scipy']"  # which a score's package needs
    assert protecting("seen", "--strength", "full", "--visibility", "1") == "['torch', 'scipy']"
    assert all((tmp_path / out / "a.png").exists() for out in ("full", "standard", "seen"))


def test_no_module_imports_anything_heavy_before_it_is_used():
    program = (
        "import pkgutil, importlib, unlearnable\n"
        "for module in pkgutil.walk_packages(unlearnable.__path__, 'unlearnable.'):\n"
        "    if module.name != 'unlearnable.__main__': importlib.import_module(module.name)"
    )
    assert imported(program, among=("unlearnable.victims.architectures", *HEAVY)) == (
        "['unlearnable.victims.architectures']"
    )
