"""The checker of annotations in tests: an int will do for a float, as in typing's numeric tower."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
