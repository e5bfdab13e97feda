"""What an option chooses between, in Python and on the command line, where nothing heavy may be imported."""

from typing import Literal

Deal = Literal["contrary", "order"]  # of secrets to classes: which serves which
Format = Literal["png", "webp", "jpeg"]  # of the protected files
Generator = Literal["diffusion", "stylise", "render", "photo"]  # of a bank's pictures
Per = Literal["class", "sample"]  # whether the pictures of a class share one secret
