"""The operations that tell of the service."""

from service.web.openapi.responses import Schema, found, problems, ref

TEXT: Schema = {"type": "string"}


def paths() -> Schema:
    return {
        "/models": get("models", "The models", "application/json", by_name("Model")),
        "/stats": get("stats", "Percentiles of the latencies of the last images", "application/json", ref("Stats")),
        "/metrics": get("metrics", "Counters and histograms for Prometheus", "text/plain", TEXT),
        "/livez": get("livez", "Whether the server is alive", "text/plain", TEXT),
        "/healthz": get("healthz", "The same as /livez", "text/plain", TEXT),
        "/readyz": get("readyz", "Whether all models are warm", "text/plain", TEXT),
        "/": get("page", "A page to draw a digit on, or drop a picture", "text/html", TEXT),
        "/docs": get("docs", "This document as a page", "text/html", TEXT),
        "/docs.json": get("docs_json", "This document", "application/json", {"type": "object"}),
    }


def by_name(schema: str) -> Schema:
    return {"type": "object", "additionalProperties": ref(schema)}


def get(name: str, summary: str, kind: str, schema: Schema) -> Schema:
    operation = {
        "operationId": name,
        "tags": ["tell"],
        "summary": summary,
        "responses": {**found(summary.lower(), {kind: schema}), **problems()},
    }
    return {"get": operation}
