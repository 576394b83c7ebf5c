"""botocore without its walk over every value: our services all speak JSON, and we write and read it as it is.

botocore checks and converts each attribute by the service's model, in both directions; that is half of the CPU of a
batch. What it would convert (blobs, which are base64 in JSON) `expressions.py` converts. Errors are parsed as ever.

Where botocore takes a success that it cannot read for an empty one (no item, nothing refused), this raises.
"""

import json
from typing import Any

from botocore.parsers import JSONParser, ResponseParserError, ResponseParserFactory
from botocore.serialize import JSONSerializer


class LeanSerializer(JSONSerializer):  # type: ignore[misc]
    """Takes the parameters for the body they already are."""

    def _serialize(
        self, serialized: dict[str, Any], value: Any, _shape: Any, _key: str | None = None
    ) -> None:
        serialized.update(value)


class OneEndpoint:
    """Asks botocore's rules of endpoints once: our operations of one client all go to the same place."""

    def __init__(self, rules: Any) -> None:
        self._rules, self._found = rules, None

    def construct_endpoint(self, **asked: Any) -> Any:
        if self._found is None:
            self._found = self._rules.construct_endpoint(**asked)
        return self._found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rules, name)


class LeanParser(JSONParser):  # type: ignore[misc]
    """Takes a successful answer's body for what it says."""

    def parse(self, response: dict[str, Any], shape: Any) -> Any:
        """ResponseParserError for whatever is not a service's answer: a proxy's page, half of a body."""
        try:
            return super().parse(response, shape)
        except (ValueError, TypeError, AttributeError) as error:
            raise ResponseParserError(f"status {response['status_code']}, unreadable body") from error

    def _do_parse(self, response: dict[str, Any], shape: Any) -> dict[str, Any]:
        nothing = shape is None and not response["body"]
        parsed: dict[str, Any] = {} if nothing else json.loads(response["body"])
        if not isinstance(parsed, dict):
            raise TypeError("the answer is no object")
        self._inject_response_metadata(parsed, response["headers"])
        return parsed


class LeanParserFactory(ResponseParserFactory):  # type: ignore[misc]
    """The component `response_parser_factory` of a botocore session."""

    def create_parser(self, protocol_name: str) -> Any:
        if protocol_name == "json":
            return LeanParser(**self._defaults)
        return super().create_parser(protocol_name)
