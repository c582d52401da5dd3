"""The settings: one YAML file per environment, and the models that each must satisfy."""
