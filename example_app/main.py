"""The running site: Lumo's own application, wrapped by consentkit. Start it with `uvicorn example_app.main:app`.

Owns nothing else: pages and routes are in `pages`, what consentkit enforces is in `consentkit.toml`.
"""

from __future__ import annotations

from pathlib import Path

from consentkit import ConsentKit
from example_app.pages import build_site
from example_app.session_key import load_session_key

_HERE = Path(__file__).parent

kit = ConsentKit(_HERE / "consentkit.toml")
site = build_site(
    session_key=load_session_key(_HERE.parent / "var" / "lumo-session-key"),
    template_context=kit.template_context,
)
app = kit.wrap(site)
