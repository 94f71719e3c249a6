"""Songs, of which a piece is heard and all words are read (arXiv 1711.08976).

**Conventions.** A song is a file of a source: its notes as a MIDI file, or a sound file, with the words of verse 1 in
one line. Seconds count from its first note, or the start of the sound. Sources:

========  ==============================================================================================
music21   `scores`: all parts of scores inside the installed music21 package
musicxml  `scores`: of any folders, zips, tars or URLs
lmd       `melodies`: the lyrics-melody data, melodies as they were played
folder    `recordings`: sound files with .txt or .lrc files of the same name, or lyrics in their tags
manifest  `recordings`: sound files and lyrics that a CSV names
features  `vectors`: two matrices that someone else made
parquet   `ready`: shards that someone else made
========  ==============================================================================================

`categories` says of what kind a song is, `groups` finds files that are one song and deals songs to training and test
parts. A file that gives no song is listed with its reason; only broken files count towards `max_skipped_fraction`.
"""
