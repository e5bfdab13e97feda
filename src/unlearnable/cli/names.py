"""What can be named on the command line."""

from unlearnable.cli.shown import Json, print_json, say


def list_names(as_json: Json = False) -> None:
    """Every registered name, with its parameters and their defaults."""
    from unlearnable.registries import everything

    names = everything()
    if as_json:
        print_json(names)
        return
    for kind, members in names.items():
        say(f"{kind}: {'' if members else 'none yet'}")
        for name, parameters in members.items():
            shown = ", ".join(f"{key}={'…' if value is None else value}" for key, value in parameters.items())
            say(f"  {name}{':' if shown else ''}{shown}")
