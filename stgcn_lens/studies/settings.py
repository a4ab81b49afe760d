"""How a run's own stages were configured, so that a study does the same to other networks on the same clips."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from stgcn_lens.embeddings import EmbedConfig
from stgcn_lens.graphs import GraphConfig
from stgcn_lens.runs import Run
from stgcn_lens.studies.layers import GeometryConfig


def embedding(run: Run) -> EmbedConfig:
    """How the run's clips were embedded last; by default where they have not been."""
    return EmbedConfig(**_known(EmbedConfig, _config(run, "embed")))


def geometry(run: Run) -> GeometryConfig:
    """How the run's graphs were made last; by default where there are none."""
    told = _config(run, "graph")
    graph = GraphConfig(**_known(GraphConfig, told.get("graph", {})))
    return GeometryConfig(**{**_known(GeometryConfig, told), "graph": graph})


def _config(run: Run, stage: str) -> dict[str, Any]:
    return dict(run.manifest()["stages"].get(stage, {}).get("config") or {})


def _known(kind: type, told: Mapping[str, Any]) -> dict[str, Any]:
    """What a record says of the fields of a config; a setting younger than the record keeps its default."""
    return {field.name: told[field.name] for field in fields(kind) if field.name in told}
