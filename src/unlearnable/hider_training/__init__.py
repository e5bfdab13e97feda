"""How the weights of the hiding network are made."""
