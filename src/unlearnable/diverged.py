"""What ends a training, or an optimisation, that came to nothing."""


class DivergedError(ArithmeticError):
    """A loss was not finite, or exploded again and again."""
