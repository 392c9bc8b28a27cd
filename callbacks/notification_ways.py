"""The ways of telling somebody that a training has ended: a command, a webhook, a mail."""

from __future__ import annotations

import json
import os
import re
import smtplib
import ssl
import subprocess
import urllib.request
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from typing import Literal, Protocol, get_args
from urllib.error import HTTPError
from urllib.parse import urlsplit

from attrs import Attribute, field, frozen

from tenuto.reference.errors import ConfigError, refuse_setting

__all__ = ["Command", "Mail", "News", "Way", "Webhook"]

Security = Literal["starttls", "tls", "none"]


def _words(value: Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, str) or not value or not all(isinstance(word, str) and word for word in value):
        raise refuse_setting("command", value, "a list of the program and its arguments")
    return tuple(value)


@frozen
class News:
    """What there is to tell.

    Attributes:
        subject: One line.
        text: Some lines.
        facts: The same for programs: plain data.
    """

    subject: str
    text: str
    facts: Mapping[str, object]


class Way(Protocol):
    """A way of telling. Whatever it raises is logged, so no message of it may hold a secret."""

    @property
    def label(self) -> str:
        """What the log calls it, without secrets."""

    def tell(self, news: News, timeout_seconds: float) -> None:
        """Tells the news, or raises."""


@frozen
class Command:
    """Runs a program, which finds the facts as JSON on its standard input.

    Attributes:
        words: The program and its arguments; no shell looks at them.
    """

    words: tuple[str, ...] = field(converter=_words, repr=False)

    @property
    def label(self) -> str:
        """The program; its arguments may hold secrets."""
        return f"command {os.path.basename(self.words[0])}"

    def tell(self, news: News, timeout_seconds: float) -> None:
        """Runs it and waits for its end."""
        facts = json.dumps(news.facts).encode()
        try:
            ended = subprocess.run(
                self.words, input=facts, stdout=subprocess.DEVNULL, timeout=timeout_seconds, check=False
            )
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"not ended after {timeout_seconds} s; killed") from None  # it would tell the arguments
        if ended.returncode:
            raise RuntimeError(f"exit code {ended.returncode}; expected 0")


@frozen
class Webhook:
    """Posts the facts as JSON; `text` in them is what chat services show.

    Attributes:
        url: Of `http` or `https`. It is a secret with many services, and never logged.
    """

    url: str = field(repr=False)

    @url.validator
    def _check(self, attribute: Attribute[str], value: str) -> None:
        parts = urlsplit(value) if isinstance(value, str) and re.fullmatch("[!-~]+", value) else None
        if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError("invalid_setting", "webhook: no address of http or https; expected one")

    @property
    def label(self) -> str:
        """The host alone."""
        return f"webhook {urlsplit(self.url).hostname}"

    def tell(self, news: News, timeout_seconds: float) -> None:
        """Posts, and takes an answer other than success for a failure."""
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked
            self.url,
            json.dumps({"text": news.text, **news.facts}).encode(),
            {"Content-Type": "application/json", "User-Agent": "tenuto"},
        )
        try:
            urllib.request.urlopen(request, timeout=timeout_seconds).close()  # noqa: S310 - as above
        except HTTPError as error:
            error.close()
            raise RuntimeError(f"answer {error.code}; expected one of success") from None


@frozen(kw_only=True)
class Mail:
    """Sends a mail over SMTP.

    Attributes:
        to: Who receives it.
        sender: Whom it is from.
        host: Of the mail server.
        port: Of the mail server.
        security: `starttls` or `tls`, or `none` for a server on this machine.
        user: To log in, None for no log-in.
        password_variable: The variable of the environment that holds the password: so that it is in no file and no log.

    Raises:
        ConfigError: `invalid_setting`.
    """

    to: str
    sender: str
    host: str
    port: int = 587
    security: Security = "starttls"
    user: str | None = None
    password_variable: str = "TENUTO_SMTP_PASSWORD"  # noqa: S105 - the name of a variable

    def __attrs_post_init__(self) -> None:
        for name in ("to", "sender", "host"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value or any(sign in value for sign in "\r\n"):
                raise refuse_setting(f"mail.{name}", value, "text of one line")
        if type(self.port) is not int or not 1 <= self.port <= 65535:
            raise refuse_setting("mail.port", self.port, "a whole number in [1, 65535]")
        if self.security not in get_args(Security):
            raise refuse_setting("mail.security", self.security, f"one of {', '.join(get_args(Security))}")

    @property
    def label(self) -> str:
        """The receiver."""
        return f"mail to {self.to}"

    def tell(self, news: News, timeout_seconds: float) -> None:
        """Sends it."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.sender, self.to, news.subject
        message.set_content(news.text)
        with self._connect(timeout_seconds) as server:
            if self.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if self.user is not None:
                server.login(self.user, self._password())
            server.send_message(message)

    def _password(self) -> str:
        password = os.environ.get(self.password_variable)
        if password is None:
            raise RuntimeError(f"{self.password_variable}: not in the environment; expected the password of the sender")
        return password

    def _connect(self, timeout_seconds: float) -> smtplib.SMTP:
        if self.security == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=timeout_seconds, context=ssl.create_default_context())
        return smtplib.SMTP(self.host, self.port, timeout=timeout_seconds)
