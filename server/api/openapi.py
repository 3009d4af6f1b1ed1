# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI 3.1 description of the API for care platforms, made of its structs."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

import msgspec

from server.api.bodies import CSV, MAX_PAGE, PAGE
from server.api.schema import (
    IDENTIFIER,
    AttendanceReport,
    CreateInvite,
    CreateLink,
    CreateRoom,
    EndedRoom,
    EndRoom,
    Link,
    Problem,
    Room,
    RoomList,
)

_REFERENCE: Final = "#/components/schemas/{name}"
_KINDS: Final = (
    CreateRoom,
    CreateLink,
    CreateInvite,
    EndRoom,
    Link,
    Room,
    RoomList,
    EndedRoom,
    AttendanceReport,
    Problem,
)
_LIMIT: Final = {
    "name": "limit",
    "in": "query",
    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": PAGE},
    "description": "How many at most.",
}
_AFTER: Final = {
    "name": "after",
    "in": "query",
    "schema": {"type": "string", "pattern": IDENTIFIER},
    "description": "`next` of the list before.",
}
_ROOM: Final = {
    "name": "room",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": IDENTIFIER},
    "description": "The id of the room.",
}
PROBLEMS: Final = {
    "400": "The body is no JSON.",
    "401": "The bearer token does not open this API.",
    "404": "There is no such room.",
    "409": "A room of this id is there already, or its session is over.",
    "413": "The body is longer than 256 KiB.",
    "422": "The body or the query is not as described; `detail` names the field.",
    "503": "The server takes no further rooms now, or its log does not answer. Try again after `Retry-After`.",
}


def description(url: str) -> dict[str, Any]:
    """The document; `url` is where the server is reached."""
    _, components = msgspec.json.schema_components(_KINDS, ref_template=_REFERENCE)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Holdspace for care platforms",
            "version": version("holdspace"),
            "description": "Make rooms and links into them, see how rooms stand and who was there, end them. "
            "Ids only: no names, no content.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": url}],
        "security": [{"secret": []}],
        "paths": {
            "/api/v1/rooms": {"get": _lists(), "post": _creates()},
            "/api/v1/rooms/{room}": {"parameters": [_ROOM], "get": _shows()},
            "/api/v1/rooms/{room}/links": {"parameters": [_ROOM], "post": _links()},
            "/api/v1/rooms/{room}/invites": {"parameters": [_ROOM], "post": _invites()},
            "/api/v1/rooms/{room}/end": {"parameters": [_ROOM], "post": _ends()},
            "/api/v1/rooms/{room}/attendance": {"parameters": [_ROOM], "get": _attendance()},
        },
        "components": {
            "schemas": components,
            "securitySchemes": {
                "secret": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "HS256 with the api secret; `kid` and `iss`: the api key, `aud`: holdspace-api, "
                    "`exp`: within an hour.",
                }
            },
        },
    }


def _creates() -> dict[str, Any]:
    return {
        "operationId": "createRoom",
        "summary": "Make a room",
        "requestBody": _takes("CreateRoom"),
        "responses": _answers("201", "Room", "The room waits for its people.", "400", "409", "413", "422", "503"),
    }


def _shows() -> dict[str, Any]:
    return {
        "operationId": "getRoom",
        "summary": "See how a room stands",
        "responses": _answers("200", "Room", "As it is now.", "404", "503"),
    }


def _lists() -> dict[str, Any]:
    return {
        "operationId": "listRooms",
        "summary": "See which rooms there are, on all servers",
        "parameters": [_LIMIT, _AFTER],
        "responses": _answers("200", "RoomList", "Some of them, in no particular order, each once.", "422", "503"),
    }


def _ends() -> dict[str, Any]:
    return {
        "operationId": "endRoom",
        "summary": "End the session; again, if need be",
        "requestBody": _takes("EndRoom"),
        "responses": _answers("200", "EndedRoom", "It is over.", "400", "404", "413", "422", "503"),
    }


def _attendance() -> dict[str, Any]:
    answers = _answers(
        "200", "AttendanceReport", "As it is now; with `Accept: text/csv` a line for each stay.", "404", "503"
    )
    answers["200"]["content"][CSV] = {"schema": {"type": "string"}}
    return {"operationId": "getAttendance", "summary": "See who was there, and when", "responses": answers}


def _invites() -> dict[str, Any]:
    return {
        "operationId": "createInvite",
        "summary": "Make a link for many people",
        "requestBody": _takes("CreateInvite"),
        "responses": _answers("201", "Link", "For a group.", "400", "404", "413", "422"),
    }


def _links() -> dict[str, Any]:
    return {
        "operationId": "createLink",
        "summary": "Make a link for one person",
        "requestBody": _takes("CreateLink"),
        "responses": _answers("201", "Link", "For the person alone.", "400", "404", "413", "422"),
    }


def _takes(name: str) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": _named(name)}}}


def _answers(status: str, name: str, text: str, *problems: str) -> dict[str, Any]:
    good = {status: {"description": text, "content": {"application/json": {"schema": _named(name)}}}}
    return good | {
        number: {
            "description": PROBLEMS[number],
            "content": {"application/problem+json": {"schema": _named("Problem")}},
        }
        for number in sorted((*problems, "401"))
    }


def _named(name: str) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=name)}
