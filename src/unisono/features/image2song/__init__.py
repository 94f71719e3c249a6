"""From pictures to words that fit them, and from lyrics to what can be compared with these: features of image2song.

**Conventions.** Everything is learnt from the training part of a deal and made for all items: features have the shape
(D, ...), one entry for each of D deals. The tags of a deal are its vocabulary, T words; where another deal has more,
rows end in zeros. Items that a deal leaves out get features as if they were test items.
"""
