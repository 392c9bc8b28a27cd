"""Adapters whose replies break the form of a reply, or belong to another request."""

from tenuto.conformance_tests.meta.hostile.polite import Request, about_files, polite, reply, say


def _instead(request: Request, text: str) -> None:
    """A line of its own in place of the reply about a file."""
    if about_files(request):
        say("@tenuto " + text.replace("ID", request["id"]) + "\n")
    else:
        reply(request, **polite(request))


def breaks_json(request: Request, _: int) -> None:
    """A number in a reply."""
    _instead(request, '{"id": "ID", "reply": "ok", "canonical": 1}')


def says_null(request: Request, _: int) -> None:
    """A null in a reply."""
    _instead(request, '{"id": "ID", "reply": "ok", "canonical": true, "note": null}')


def says_it_twice(request: Request, _: int) -> None:
    """A key that stands twice in a reply."""
    _instead(request, '{"id": "ID", "reply": "error", "reply": "ok", "canonical": true}')


def says_no_object(request: Request, _: int) -> None:
    """An array in place of an object."""
    _instead(request, '["ID", "ok"]')


def says_more_than_an_object(request: Request, _: int) -> None:
    """Two objects on a line."""
    _instead(request, '{"id": "ID", "reply": "ok"} {"id": "ID", "reply": "ok"}')


def says_no_utf8(request: Request, _: int) -> None:
    """A lone surrogate, which no UTF-8 can hold."""
    _instead(request, '{"id": "ID", "reply": "internal", "message": "\\ud800"}')


def own_reply(request: Request, _: int) -> None:
    """Another word in `reply`."""
    _instead(request, '{"id": "ID", "reply": "rejected"}')


def own_words(request: Request, _: int) -> None:
    """A code that is none."""
    _instead(request, '{"id": "ID", "reply": "error", "code": "something_went_wrong", "phase": "open"}')


def wrong_nonce(request: Request, _: int) -> None:
    """Greets with a nonce of its own."""
    reply(request, **(polite(request) | {"nonce": "0123456789abcdef"}))


def wrong_id(request: Request, _: int) -> None:
    """Answers another request."""
    answer = polite(request)
    reply(request | {"id": "1"} if about_files(request) else request, **answer)


def answers_twice(request: Request, _: int) -> None:
    """Answers `hello` twice: the second answer is taken for that to the next request."""
    reply(request, **polite(request))
    if request["op"] == "hello":
        reply(request, **polite(request))


def answers_unasked(request: Request, number: int) -> None:
    """Speaks before it is asked; see the greeting."""
    if number == 1:
        say('@tenuto {"id": "", "reply": "ok"}\n')
    reply(request, **polite(request))
