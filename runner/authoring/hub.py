"""What the hubs of models say a name stands for now: the commit to pin it to.

- Hugging Face: `GET /api/models/<name>/revision/<reference>`, whose JSON has the commit as `sha`
  (huggingface_hub's `model_info`; HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and HF_HUB_CACHE count as
  they do there). When the hub does not answer, the reference in the local cache is taken.
- ModelScope: `GET /api/v1/models/<name>/revisions`, whose `Data.RevisionMap.Tags` lists tags with
  `Revision` and `CreatedAt` (modelscope_hub's `list_revisions_detail`; MODELSCOPE_DOMAIN counts).
  It names no commits: the newest tag is what can be pinned.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import urllib.error
import urllib.request
from typing import Any, NamedTuple
from urllib.parse import quote

from runner.errors import OutsideError, Refused, RunnerError
from runner.models.cache import fetched_revision

DEADLINE = 15.0
"""Seconds that a hub has for each part of its answer."""
MOST_BYTES = 8 * 2**20
MOVING = ("main", "master")
"""Branches, which another commit can be pushed to."""

_COMMIT = re.compile(r"[0-9a-f]{40}")


class Revision(NamedTuple):
    """What a name on a hub stands for."""

    value: str
    source: str
    """Who said so, and when that is not the hub, why."""


def is_pinned(source: str, revision: str | None) -> bool:
    """Whether `revision` stays what it is: a commit, on ModelScope a tag."""
    if source == "huggingface":
        return revision is not None and _COMMIT.fullmatch(revision) is not None
    return revision is not None and revision not in MOVING


def find_revision(source: str, name: str, reference: str | None) -> Revision:
    """Return the revision that `reference` (or else the newest) of the model `name` stands for.

    Raises Refused when the hub has no such model or shows it to nobody unknown, OutsideError when
    it cannot be asked.
    """
    if source == "modelscope":
        return _from_modelscope(name)
    return _from_huggingface(name, reference or "main")


def _from_huggingface(name: str, reference: str) -> Revision:
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return _from_cache(name, reference, OutsideError("HF_HUB_OFFLINE is set"))
    url = f"{endpoint}/api/models/{quote(name)}/revision/{quote(reference, safe='')}?expand=sha"
    try:
        answer = _get(url, name, os.environ.get("HF_TOKEN"))
    except OutsideError as error:
        return _from_cache(name, reference, error)
    commit = answer.get("sha") if isinstance(answer, dict) else None
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise OutsideError(f"{endpoint} names no commit of `{name}`", cure="try again later")
    return Revision(commit, endpoint)


def _from_cache(name: str, reference: str, error: RunnerError) -> Revision:
    """Return what the local cache of the hub remembers, else raise `error`."""
    commit = fetched_revision(name, reference)
    if commit is None or not _COMMIT.fullmatch(commit):
        raise OutsideError(
            f"the revision of `{name}` is not known: {error.message}, and the local cache has none",
            cure="try again with a network, or write `revision:` by hand",
        )
    return Revision(commit, f"the local cache ({error.message})")


def _from_modelscope(name: str) -> Revision:
    domain = os.environ.get("MODELSCOPE_DOMAIN", "www.modelscope.cn").rstrip("/")
    endpoint = domain if "://" in domain else f"https://{domain}"
    answer = _get(f"{endpoint}/api/v1/models/{quote(name)}/revisions", name, None)
    try:
        tags = answer["Data"]["RevisionMap"]["Tags"] or []
        newest = max(tags, key=lambda tag: int(tag["CreatedAt"]), default=None)
        value = str(newest["Revision"]) if newest else ""
    except (KeyError, TypeError, ValueError):
        raise OutsideError(f"{endpoint} names no revisions of `{name}`", cure="try later") from None
    if not value:
        raise Refused(
            f"`{name}` has no tag on ModelScope, only branches, which move",
            cure="take the model from Hugging Face, or track its folder with DVC",
        )
    return Revision(value, endpoint)


def _get(url: str, name: str, token: str | None) -> Any:
    headers = {"Accept": "application/json", "User-Agent": "rollbook"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    host = "/".join(url.split("/")[:3])
    try:
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme is ours
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:  # noqa: S310
            return json.loads(answer.read(MOST_BYTES))
    except urllib.error.HTTPError as error:
        error.close()
        raise _refusal(error.code, host, name) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise OutsideError(f"{host} does not answer ({reason})", cure="try again later") from None


def _refusal(code: int, host: str, name: str) -> RunnerError:
    if code in (401, 403):
        return Refused(
            f"{host} does not show `{name}`: it does not exist there, or is private or gated",
            cure="check the name; for a private one: HF_TOKEN=… runner pin …",
        )
    if code == 404:
        return Refused(f"{host} has no model `{name}` of this revision", cure="check its spelling")
    return OutsideError(f"{host} answers with HTTP status {code}", cure="try again later")
