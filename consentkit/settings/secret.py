"""The secrets that open the root key, from the environment; never from the settings file.

Owns reading them and how a fault is told without telling anything of their text. The name of the secret file
isn't told either: the secret itself may have been put there by mistake.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from consentkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "CONSENTKIT_SECRET"
FILE_VARIABLE = "CONSENTKIT_SECRET_FILE"
MONITORING_VARIABLE = "CONSENTKIT_MONITORING_TOKEN"
MIN_LENGTH = 32
MAX_FILE_BYTES = 65_536  # a secret file; a path that leads elsewhere is not read without end


def read_secrets(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the secrets that the environment gives, newest last; none given = an empty tuple.

    Several stand comma-separated in ``CONSENTKIT_SECRET``, or in the file that ``CONSENTKIT_SECRET_FILE``
    names. White space around each is not part of it.

    Args:
        environ: the environment; None = that of this process.

    Raises:
        SettingsError: when both variables are set, one is set and empty, the file can't be read, or a secret
            has less than 32 characters. It names variable and position, never any text.
    """
    environ = os.environ if environ is None else environ
    if VARIABLE in environ and FILE_VARIABLE in environ:
        raise SettingsError(VARIABLE, f"and {FILE_VARIABLE} are both set", "set one of them")
    if VARIABLE in environ:
        return _split(VARIABLE, environ[VARIABLE])
    if FILE_VARIABLE in environ:
        return _split(FILE_VARIABLE, _read(environ[FILE_VARIABLE]))
    return ()


def read_monitoring_token(environ: Mapping[str, str] | None = None) -> str:
    """Return the token with which monitoring asks for figures; empty where none is given.

    It stands in ``CONSENTKIT_MONITORING_TOKEN``, or in the file that ``CONSENTKIT_MONITORING_TOKEN_FILE`` names.

    Args:
        environ: the environment; None = that of this process.

    Raises:
        SettingsError: as for `read_secrets`; a token with a space can't be sent.
    """
    environ = os.environ if environ is None else environ
    variable, file_variable = MONITORING_VARIABLE, f"{MONITORING_VARIABLE}_FILE"
    if variable in environ and file_variable in environ:
        raise SettingsError(variable, f"and {file_variable} are both set", "set one of them")
    if variable not in environ and file_variable not in environ:
        return ""
    which = variable if variable in environ else file_variable
    token = (environ[variable] if which == variable else _read(environ[which], which)).strip()
    _require_strong(which, "the token", token)
    if not token.isascii() or " " in token:
        raise SettingsError(which, "the token holds a space or a letter outside of ASCII", "letters and digits")
    return token


def _read(name: str, variable: str = FILE_VARIABLE) -> str:
    try:
        with Path(name).open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise SettingsError(variable, f"names a file of more than {MAX_FILE_BYTES} bytes", "secrets alone")
        return content.decode("utf-8")
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "no reason given"
        raise SettingsError(variable, f"names a file that can't be read ({reason})") from None
    except ValueError:  # not UTF-8, or a NUL in the name
        raise SettingsError(variable, "names a file that is not text in UTF-8") from None


def _split(variable: str, text: str) -> tuple[str, ...]:
    secrets = tuple(part.strip() for part in text.split(","))
    for position, secret in enumerate(secrets, start=1):
        _require_strong(variable, f"secret {position} of {len(secrets)}", secret)
    return secrets


def _require_strong(variable: str, which: str, secret: str) -> None:
    allowed = f"at least {MIN_LENGTH} characters; several comma-separated, newest last"
    if not secret:
        raise SettingsError(variable, f"{which} is empty", f"{allowed}, or unset the variable")
    if len(secret) < MIN_LENGTH:
        raise SettingsError(variable, f"{which} has less than {MIN_LENGTH} characters", allowed)
    if not secret.isprintable():
        # One a line is a likely slip; lone surrogates, which are bytes outside UTF-8, end here too.
        raise SettingsError(variable, f"{which} holds a line break or an unprintable character", allowed)
