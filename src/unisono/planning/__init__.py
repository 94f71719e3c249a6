"""What a run would do, before it is started: stages, time, disk, downloads, and what is missing for it."""
