"""The choice over HTTP: what stands, told to a script, and an answer taken from a form or a script.

Owns who may answer, and what each is told then. What an answer does is `desk`'s, the settings page
`settings_endpoint`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from consentkit.consent.gate import VISIT, Visit, host_of
from consentkit.visitor import once, wording
from consentkit.visitor.answers import Answer, Submission, answer_of, method_of
from consentkit.visitor.desk import NotDurable, NotOffered, TooMany, TooManyServices
from consentkit.visitor.news_wording import news_views
from consentkit.visitor.responses import json_response, wants_json
from consentkit.web import origin
from consentkit.web.forms import BadForm, read_form

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from consentkit.consent.choice import Consent
    from consentkit.consent.registry import Registry
    from consentkit.visitor.desk import ChoiceDesk, Result
    from consentkit.visitor.pagemarkup import PageMarkup
    from consentkit.visitor.policyinforce import PolicyInForce
    from consentkit.visitor.settings_endpoint import SettingsEndpoint


class ChoiceEndpoint:
    """Answer for the choice.

    Args:
        desk: takes answers.
        settings_page: where a form without script goes on.
        markup: knows a request's language.
        registry: what is declared.
        policy: in force.
        narrows_policy: pages have a Content-Security-Policy that keeps out what is not allowed.
        refuse: returns the page for a request that can't be taken, by its status.
    """

    def __init__(
        self,
        desk: ChoiceDesk,
        settings_page: SettingsEndpoint,
        markup: PageMarkup,
        registry: Registry,
        *,
        policy: PolicyInForce,
        narrows_policy: bool,
        refuse: Callable[[Request, int], Response],
    ) -> None:
        self._desk = desk
        self._settings_page = settings_page
        self._markup = markup
        self._registry = registry
        self._policy = policy
        self._narrows_policy = narrows_policy
        self._refuse = refuse

    @property
    def routes(self) -> tuple[Route, ...]:
        """Where it is served."""
        return (
            Route("/choice", self.get, methods=["GET"]),
            Route("/choice", self.post, methods=["POST"]),
        )

    async def get(self, request: Request) -> Response:
        """Tell a script what holds, and what is new since then."""
        visit: Visit = request.scope[VISIT]
        say = self._markup.catalogue(request)
        news = [each.text for each in news_views(self._policy.news(visit), self._registry, say)]
        return json_response({**self._view(visit.consent), "news": news})

    async def post(self, request: Request) -> Response:
        """Take an answer. A grant must come from our own pages; a refusal from anywhere but another site's."""
        try:
            form = await read_form(request)
            answer = answer_of(form.get("decision", ""))
            if origin.is_cross_site(request) or not (answer == "reject" or origin.is_same_origin(request)):
                raise BadForm(403)
            result = await self._desk.take(request.scope[VISIT], self._submission(request, answer, form))
        except BadForm as exc:
            return self._refuse(request, exc.status)
        except NotOffered:
            return self._not_offered(request)
        except TooManyServices:
            return self._refuse(request, 400)
        except TooMany:
            return self._refuse(request, 429)
        except NotDurable:
            return self._refuse(request, 503)
        response = self._chosen(request, form, result)
        for field in result.set_cookies:
            response.raw_headers.append((b"set-cookie", field))
        return response

    def _submission(self, request: Request, answer: Answer, form: dict[str, str]) -> Submission:
        client = request.client
        return Submission(
            answer=answer,
            ticked=frozenset(name for name, value in form.items() if value != "off"),
            unticked=frozenset(name for name, value in form.items() if value == "off"),
            keeps="keep" in form,  # as an embed's buttons ask for
            service=form.get("service", ""),
            removed=form.get("remove", ""),
            method=method_of(form.get("via", "")),
            locale=self._markup.language(request.scope, form.get("lang")),
            is_scripted=wants_json(request),
            host=host_of(request.scope),
            address=client.host if client else "",
            id_path=request.scope["root_path"],
            once=form.get(once.FIELD, ""),
        )

    def _chosen(self, request: Request, form: dict[str, str], result: Result) -> Response:
        if not wants_json(request):
            return self._settings_page.after_answer(request, form, has_cookie=bool(result.set_cookies))
        say = self._markup.catalogue(request, form.get("lang"))
        return json_response(
            {
                **self._view(result.consent),
                "message": wording.saved_message(say, result.consent.categories, result.consent.services),
                "reload": result.is_withdrawal or self._widens_policy(request, result.consent),
            }
        )

    def _widens_policy(self, request: Request, consent: Consent) -> bool:
        """Tell whether the page that asked has a policy that keeps out what is allowed now."""
        before: Consent = request.scope[VISIT].consent
        return self._narrows_policy and any(
            service.hosts and consent.allows_service(service.id) and not before.allows_service(service.id)
            for service in self._registry.services
        )

    def _view(self, consent: Consent) -> dict[str, object]:
        return {
            "decided": consent.decided,
            "categories": consent.categories,
            "services": sorted(consent.services),
            "revision": self._policy.revision(),
        }

    def _not_offered(self, request: Request) -> Response:
        if wants_json(request):
            return json_response({"error": 403}, status=403)
        return self._settings_page.show(request, status=403)
