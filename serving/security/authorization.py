"""Who may call what: bearer tokens, checked before a message of the call is read."""

from typing import Final

import grpc

from serving.calls.call import AUTHORIZATION, HEALTH_METHODS
from serving.calls.client_name import client_name
from serving.calls.message_check import REFLECTION_METHODS
from serving.errors import PermissionDeniedError, UnauthenticatedError
from serving.security.tokens import Scope, Token, find_token
from serving.security.watched_files import WatchedFiles

_SCHEME: Final = "bearer"

_ADMIN: Final = (
    "/sfumato.v1.AdminService/",
    "/inference.GRPCInferenceService/RepositoryModelLoad",
    "/inference.GRPCInferenceService/RepositoryModelUnload",
)

_HEALTH_LIST: Final = f"{HEALTH_METHODS}List"  # the names of all models

_Details = grpc.HandlerCallDetails


class Authorization:
    """Lets in calls whose token has the scope of their method; health is open to all.

    But for the list of all services, which has the names of the models: any token will do there.
    """

    def __init__(self, tokens: WatchedFiles[tuple[Token, ...]]) -> None:
        """Knows ``tokens``."""
        self._tokens = tokens

    def check(self, details: _Details) -> None:
        """Notes whose token a call has.

        Raises:
            UnauthenticatedError: it has none that is known.
            PermissionDeniedError: its token lacks the scope of the method.
        """
        if _is_open_to_all(details.method):
            return
        token = self._token(details)
        client_name.set(token.name)
        _check_scope(token, details.method)

    def _token(self, details: _Details) -> Token:
        given = [value for name, value in details.invocation_metadata if name == AUTHORIZATION]
        if not given:
            raise UnauthenticatedError(
                "this server wants a token: send the metadata 'authorization: Bearer TOKEN'"
            )
        scheme, _, secret = str(given[-1]).partition(" ")
        token = find_token(self._tokens.content(), secret.strip())
        if scheme.lower() != _SCHEME or token is None:
            raise UnauthenticatedError(
                "this server does not know the token; the metadata must be "
                "'authorization: Bearer TOKEN' with a token of its operator"
            )
        return token


def scope_of(method: str) -> Scope | None:
    """Gives the scope that ``/service/Method`` demands; None if any token will do."""
    if method.startswith(REFLECTION_METHODS) or method == _HEALTH_LIST:
        return None
    return Scope.ADMIN if method.startswith(_ADMIN) else Scope.PAINT


def _is_open_to_all(method: str) -> bool:
    """Whoever balances load has no token, and asks about names that it knows."""
    return method.startswith(HEALTH_METHODS) and method != _HEALTH_LIST


def _check_scope(token: Token, method: str) -> None:
    scope = scope_of(method)
    if scope is not None and scope not in token.scopes:
        raise PermissionDeniedError(
            f"the token of {token.name} lacks the scope {scope.value!r}, which this call demands"
        )
