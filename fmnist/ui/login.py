"""Who looks: the login through OpenID Connect, where one is configured, and who counts as one viewer.

Streamlit does the work (docs.streamlit.io, "User authentication and information"): with `[auth]` in its secrets, the
session's cookie tells who it is. Nothing slow is imported here: every page begins with this.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAuthError, StreamlitSecretNotFoundError

from fmnist import settings
from fmnist.settings import Asker, SettingsError

log = logging.getLogger("fmnist.ui.login")

LOGGING_OUT = "logging-out"
"""In the session: whether somebody has asked for it."""


def enter() -> None:
    """Let in who may look; to everybody else show why not, and end the page.

    Raises:
        SettingsError: what is configured can't be used; nobody is let in.
    """
    providers = _providers()
    if not providers:
        if settings.users():
            raise SettingsError(
                "FMNIST_USERS lists who may see the dashboard, but no login is configured: add [auth] to "
                ".streamlit/secrets.toml."
            )
        return
    if not (find_spec("authlib") and find_spec("httpx")):
        raise SettingsError(
            f"A login is configured, but what it needs is not installed: {settings.how_to_install('serve')}"
        )
    if st.session_state.get(LOGGING_OUT):
        # In every run until the browser has left: one that another run follows at once may tell it nothing.
        st.logout()
        st.stop()
    user = st.user.to_dict()
    if user.get("is_logged_in") is not True:
        _offer(providers)
        st.stop()
    if why := _refusal(user):
        st.title("Not allowed", anchor=False)
        st.text(why)  # An address is no Markdown.
        _log_out(st)
        st.stop()
    with st.sidebar:
        st.text(_name(user))
        _log_out(st)


def asker() -> Asker | None:
    """Whose runs are counted for whoever looks at the moment; None where there is no limit.

    Raises:
        SettingsError: as `settings.queue_limit`.
    """
    limit = settings.queue_limit()
    return None if limit is None else Asker(_viewer(), limit)


def _viewer() -> str:
    """A name for whoever looks: the account, or else the address, of which IPv6 gives a whole network to each.

    A session would not do: everybody has as many as they open tabs. Hashed, for the store need not tell who it was.
    """
    user = st.user.to_dict()
    if user.get("is_logged_in") is True:
        name = f"account {user.get('iss')} {user.get('sub')}"
    else:
        name = f"address {_network(st.context.ip_address)}"
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _network(address: str | None) -> str:
    if address is None:  # The machine itself.
        return ""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else address


def _providers() -> dict[str, str | None]:
    """What the buttons for logging in say, and the name of the provider of each; none where no login is configured."""
    try:
        auth = st.secrets.to_dict().get("auth")
    except StreamlitSecretNotFoundError as error:
        # Streamlit itself would go on without a login where it can't read the file.
        if any(Path(path).exists() for path in st.get_option("secrets.files")):
            raise SettingsError(
                "The secrets file can't be read, so nobody is let in: the server's log says why."
            ) from error
        return {}
    if auth is None:
        return {}
    named: dict[str, Any] = auth if isinstance(auth, dict) else {}
    several = [name for name, value in named.items() if isinstance(value, dict) and "client_id" in value]
    return {f"Log in with {name}": name for name in several} or {"Log in": None}


def _offer(providers: dict[str, str | None]) -> None:
    st.title("Log in", anchor=False)
    st.markdown("You need an account to see this dashboard.")
    for label, provider in providers.items():
        if st.button(label, type="primary", icon=":material/login:"):
            try:
                st.login(provider)
            except StreamlitAuthError as error:
                log.error("%s", error)
                raise SettingsError("The login is not fully configured: the server's log says why.") from error


def _refusal(user: dict[str, Any]) -> str:
    """Why somebody who has logged in may not look; nothing for those who may."""
    if not settings.users():
        return ""
    email = str(user.get("email") or "")
    if not email or user.get("email_verified") not in (True, "true"):
        return (
            "This dashboard knows its users by their e-mail addresses, and the login provider has not confirmed yours."
        )
    if not settings.is_allowed(email):
        return f"{email} is not among the users of this dashboard: ask whoever runs it."
    return ""


def _name(user: dict[str, Any]) -> str:
    return str(user.get("name") or user.get("email") or user.get("sub") or "Logged in")


def _log_out(place: Any) -> None:
    place.button(
        "Log out",
        key="log-out",
        icon=":material/logout:",
        on_click=st.session_state.update,
        args=({LOGGING_OUT: True},),
    )
