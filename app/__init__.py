"""The workbench: pages that read a run folder, and the model where something must be computed live."""
