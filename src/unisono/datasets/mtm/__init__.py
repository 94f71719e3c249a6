"""MTM, the musical ternary data set (D 3.1.3): songs -> samples of 20 notes with their 20 syllables.

**Conventions.** Pitch is a MIDI number; lengths are in beats (quarter notes). A note's rest is the silence since
the end of the note before it, also across windows; before a song's first note it is 0. Sources:

========  ==============================================================================================
music21   `corpus`: scores inside the installed music21 package, read by `musicxml`
musicxml  any folder, zip, tar or URL of scores, read by `musicxml`
lmd       `lmd`: the dissertation's own data; its `rule` chooses the windows
parquet   `ready`: samples that someone else made
========  ==============================================================================================

`samples` chooses the sung line and cuts it, `groups` finds files that are one song and deals them to parts. A file
that gives no sample is listed with its reason; only broken files count towards `max_skipped_fraction`. The same source
and parameters give the same bytes.
"""
