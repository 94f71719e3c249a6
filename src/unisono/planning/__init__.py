"""What a run would do, before it is started: stages, time, disk, downloads, and what is missing for it.

**Conventions.** Nothing here changes a file but `unisono.planning.recipe.apply`. Times are estimates, from what earlier
runs took (``results/timing``) and otherwise from the rates of `unisono.planning.costs`.
"""
