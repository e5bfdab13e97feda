"""The page for people without a terminal: the same functions as the command line, in a browser on this computer."""
