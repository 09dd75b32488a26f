"""Whether a request and its answer are as SkyPilot's published description says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import ValidationError
from openapi_core import Config, OpenAPI
from openapi_core.contrib.werkzeug import WerkzeugOpenAPIRequest, WerkzeugOpenAPIResponse
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.responses.exceptions import ResponseNotFound
from werkzeug import Request, Response

DOCUMENT = Path(__file__).with_name("openapi.pruned.json")
UNDECLARED = {400, 401, 403, 404, 500, 503}
"""Errors that SkyPilot gives for every operation, whether its description lists them or not."""


class Description:
    """SkyPilot's description, as if `server` (scheme, host and port) were its API server."""

    def __init__(self, server: str) -> None:
        document = json.loads(DOCUMENT.read_text())
        self._paths: dict[str, Any] = document["paths"]
        self._schemas: dict[str, Any] = document["components"]["schemas"]
        spec = document | {"servers": [{"url": server}]}
        self._checker = OpenAPI.from_dict(spec, config=Config(spec_validator_cls=None))  # type: ignore[arg-type]

    @property
    def operations(self) -> set[tuple[str, str]]:
        """Every method and path."""
        return {(method.upper(), path) for path, found in self._paths.items() for method in found}

    def request_problem(self, request: Request) -> str | None:
        """Return what is wrong with a request, None if nothing is."""
        try:
            self._checker.validate_request(WerkzeugOpenAPIRequest(request))
        except OpenAPIError as error:
            return _explain(error)
        operation = self._paths[request.path][request.method.lower()]
        known = {parameter["name"] for parameter in operation.get("parameters", ())}
        unnamed = set(request.args) - known
        if "requestBody" in operation:
            unnamed |= set(request.get_json()) - self._body_names(operation)
        return f"not in the description: {', '.join(sorted(unnamed))}" if unnamed else None

    def answer_problem(self, request: Request, answer: Response) -> str | None:
        """Return what is wrong with `answer`, None if nothing is."""
        asked, given = WerkzeugOpenAPIRequest(request), WerkzeugOpenAPIResponse(answer)
        try:
            self._checker.validate_response(asked, given)
        except ResponseNotFound as error:
            return None if answer.status_code in UNDECLARED else _explain(error)
        except OpenAPIError as error:
            return _explain(error)
        return None

    def _body_names(self, operation: dict[str, Any]) -> set[str]:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        return set(self._schemas[schema["$ref"].rpartition("/")[2]]["properties"])


def _explain(error: BaseException) -> str:
    """Return an error with its causes and what the schema says, in one line."""
    parts = [f"{type(error).__name__}: {error}"]
    for found in getattr(error, "schema_errors", ()):
        if isinstance(found, ValidationError):
            parts.append(f"{found.json_path}: {found.message[:300]}")
    if error.__cause__ is not None:
        parts.append(_explain(error.__cause__))
    return "; ".join(parts)
