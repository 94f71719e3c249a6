"""The doors of the pipeline: one thin script per kind of stage of dvc.yaml."""
