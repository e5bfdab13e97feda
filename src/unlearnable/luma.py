"""How bright a colour is."""

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R 601, as in JPEG
