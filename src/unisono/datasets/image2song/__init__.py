"""Pictures and songs that fit each other (Image2song, arXiv 1708.05851).

**Conventions.** An item is a picture or a song, and lies in one of the views ``image`` and ``lyrics``. A picture may
fit many songs: two items fit where they share a *tag*. Of own data, which come in pairs, the tag is the song (*pair
rule*). Otherwise it is a word that is a keyword of the picture and a lemma of the lyric, within limits of frequency
that the training part of each deal sets (*keyword rule*, `relevance`): with the true keywords of a picture, a bag of
words then finds all that fits and nothing else, by construction.

===========  =====================================================================================================
emoji        `emoji`: drawings of Debian's colour font with the keywords of Unicode's CLDR
openclipart  `openclipart`: Debian's public-domain drawings with the keywords of their SVG files
folder       `own`: pictures with lyrics beside them
manifest     `own`: a CSV or Parquet file that names pictures, lyrics, clips
shuttersong  `shuttersong`: JPEG files that hold a clip after their end, with a CSV
parquet      `ready`: shards that someone else made
===========  =====================================================================================================

Songs that pictures do not bring along: ``fortunes`` (`fortunes`: Debian's songs and poems), ``songs`` and ``mtm``
(`built`: those of the other data sets, with their sound). Nothing of a package is passed on; of a lyric that is not
free at most the title or six words are shown.
"""
