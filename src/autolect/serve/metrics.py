"""Figures of a running server in Prometheus' text format; one registry for each application."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from autolect.serve.batcher import Batch

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """What is counted. Paths that are not routes share one label, so a client cannot add series."""

    def __init__(self, *, paths: frozenset[str]) -> None:
        self._paths, self._registry = paths, CollectorRegistry()
        self._requests = Counter(
            "autolect_requests", "Answered requests.", ("path", "status"), registry=self._registry
        )
        self._latency = Histogram(
            "autolect_request_seconds",
            "From the head of a request to the end of its answer.",
            ("path",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._texts = Counter("autolect_texts", "Texts the model worked on.", registry=self._registry)
        self._tokens = Counter("autolect_tokens", "Tokens the model worked on.", registry=self._registry)
        self._batch = Histogram(
            "autolect_batch_texts", "Texts in a batch.", buckets=_TEXTS, registry=self._registry
        )
        self._busy = Counter(
            "autolect_model_seconds", "Seconds the model was working.", registry=self._registry
        )

    def watch(self, *, queued_requests: Callable[[], int], queued_tokens: Callable[[], int]) -> None:
        """Show the length of a queue, read when somebody asks."""
        for name, read in (("requests", queued_requests), ("tokens", queued_tokens)):
            gauge = Gauge(f"autolect_queue_{name}", f"Waiting {name}.", registry=self._registry)
            gauge.set_function(read)

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        label = path if path in self._paths else "other"
        self._requests.labels(label, str(status)).inc()
        self._latency.labels(label).observe(seconds)

    def batch(self, batch: Batch) -> None:
        """Count one batch."""
        self._texts.inc(batch.texts)
        self._tokens.inc(batch.tokens)
        self._busy.inc(batch.seconds)
        self._batch.observe(batch.texts)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)
