"""What the checks of all packages ask."""

PROMPT = "What is Cocoon?"
MAX_TOKENS = 16
# Of answers that must come in several pieces: on a busy machine tokens that wait together are sent as one.
STREAMED_TOKENS = 200
# Between two parts of JSON up to 20 blanks may stand, and a tiny model likes them.
ROOM_FOR_JSON = 400
# Few values, so that a tiny model comes to an end.
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"enum": ["yes", "no"]}, "count": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["answer", "count"],
    "additionalProperties": False,
}
# A picture of one dot.
IMAGE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def fits(value: dict) -> None:
    """Whether a value is what the schema describes."""
    assert sorted(value) == ["answer", "count"], value
    assert value["answer"] in ("yes", "no") and 0 <= value["count"] <= 9, value
