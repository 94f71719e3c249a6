"""What `fuzz.py` gives to the readers: good files of every format (`inputs`), and how they are spoilt (`mutators`)."""
