"""Whether a request, its answer and an event are as GitHub's published description says.

Checked with openapi-core against api.github.com.pruned.json; and by hand, what the description does
not say: that nothing is sent which it does not name, and what goes for every operation.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import ValidationError
from openapi_core import Config, OpenAPI
from openapi_core.contrib.werkzeug import WerkzeugOpenAPIRequest, WerkzeugOpenAPIResponse
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.responses.exceptions import ResponseNotFound
from openapi_schema_validator import OAS30ReadValidator, oas30_format_checker
from werkzeug import Request, Response

DOCUMENT = Path(__file__).with_name("api.github.com.pruned.json")
UNDECLARED = {400, 401, 403, 404, 422, 429, 500, 502}
"""Errors that GitHub gives for every operation, whether its description lists them or not."""


class Description:
    """GitHub's description, as if `server` (scheme, host and port) were GitHub."""

    def __init__(self, server: str) -> None:
        document = json.loads(DOCUMENT.read_text())
        self._paths: dict[str, Any] = document["paths"]
        self._shared: dict[str, Any] = document["components"]["parameters"]
        spec = document | {"servers": [{"url": server}]}
        self._components = document["components"]
        self._checker = OpenAPI.from_dict(spec, config=Config(spec_validator_cls=None))  # type: ignore[arg-type]

    @property
    def operations(self) -> set[tuple[str, str]]:
        """Every method and path with its placeholders."""
        return {(method, path) for path, found in self._paths.items() for method in found}

    def request_problem(self, request: Request, path: str) -> str | None:
        """Return what is wrong with a request to the operation at `path`, None if nothing is."""
        try:
            self._checker.validate_request(WerkzeugOpenAPIRequest(request))
        except OpenAPIError as error:
            return _explain(error)
        operation = self._paths[path][request.method.lower()]
        unnamed = set(request.args) - self._query_names(operation)
        if "requestBody" in operation:
            unnamed |= set(request.get_json()) - _body_names(operation["requestBody"])
        if unnamed:
            return f"not in the description: {', '.join(sorted(unnamed))}"
        if int(request.args.get("per_page", 30)) > 100:
            return "per_page is at most 100"
        return None

    def answer_problem(self, request: Request, answer: Response) -> str | None:
        """Return what is wrong with `answer`, None if nothing is."""
        if answer.status_code == 304:
            return "a 304 has no body" if answer.get_data() else None
        asked, given = WerkzeugOpenAPIRequest(request), WerkzeugOpenAPIResponse(answer)
        try:
            self._checker.validate_response(asked, given)
        except ResponseNotFound as error:
            return None if _is_plain_error(answer) else _explain(error)
        except OpenAPIError as error:
            return _explain(error)
        return None

    def event_problem(self, name: str, payload: dict[str, Any]) -> str | None:
        """Return what is wrong with the payload of the event `name` (`pull-request-opened`)."""
        root = {"$ref": f"#/components/schemas/webhook-{name}", "components": self._components}
        checker = OAS30ReadValidator(root, format_checker=oas30_format_checker)
        return "; ".join(map(_place, checker.iter_errors(payload))) or None

    def _query_names(self, operation: dict[str, Any]) -> set[str]:
        listed = [
            self._shared[parameter["$ref"].rpartition("/")[2]] if "$ref" in parameter else parameter
            for parameter in operation.get("parameters", ())
        ]
        return {parameter["name"] for parameter in listed if parameter["in"] == "query"}


def _body_names(body: dict[str, Any]) -> set[str]:
    return set(body["content"]["application/json"]["schema"]["properties"])


def _is_plain_error(answer: Response) -> bool:
    if answer.status_code not in UNDECLARED:
        return False
    body = answer.get_json(silent=True)
    return isinstance(body, dict) and isinstance(body.get("message"), str)


def _place(error: ValidationError) -> str:
    return f"{error.json_path}: {error.message[:300]}"


def _explain(error: BaseException) -> str:
    """Return an error with its causes and what the schema says, in one line."""
    parts = [f"{type(error).__name__}: {error}"]
    for found in getattr(error, "schema_errors", ()):
        if isinstance(found, ValidationError):
            parts.append(_place(found))
    if error.__cause__ is not None:
        parts.append(_explain(error.__cause__))
    return "; ".join(parts)
