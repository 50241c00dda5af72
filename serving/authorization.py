"""Who may call what: bearer tokens, checked before a message of the call is read."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import grpc

from serving.call import AUTHORIZATION, Calls
from serving.client_name import set_client_name
from serving.errors import PermissionDeniedError, UnauthenticatedError
from serving.refusal import refusal
from serving.tokens import Scope, Token, find_token
from serving.watched_files import WatchedFiles
from sfumato.errors import SfumatoError

if TYPE_CHECKING:
    from serving.refusal import Handler

_SCHEME: Final = "bearer"

_OPEN: Final = "/grpc.health.v1.Health/"  # whoever balances load has no token
_FOR_ANY_TOKEN: Final = "/grpc.reflection."  # noqa: S105 - a method
_ADMIN: Final = (
    "/sfumato.v1.AdminService/",
    "/inference.GRPCInferenceService/RepositoryModelLoad",
    "/inference.GRPCInferenceService/RepositoryModelUnload",
)

_Details = grpc.HandlerCallDetails


class Authorization(grpc.aio.ServerInterceptor):
    """Lets in calls whose token has the scope of their method; health is open to all."""

    def __init__(self, tokens: WatchedFiles[tuple[Token, ...]], calls: Calls) -> None:
        """Knows ``tokens``; tells the observers of ``calls`` about the refused."""
        self._tokens = tokens
        self._calls = calls

    async def intercept_service(
        self,
        continuation: Callable[[_Details], Awaitable["Handler | None"]],
        handler_call_details: _Details,
    ) -> "Handler | None":
        """Passes a call on, or answers it with the reason why not."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method.startswith(_OPEN):
            return handler  # without one it is UNIMPLEMENTED; only real names reach the log
        try:
            token = self._token(handler_call_details)
            set_client_name(token.name)
            _check_scope(token, method)
        except SfumatoError as error:
            reason = error
            return refusal(method, lambda: reason, self._calls)
        return handler

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
    if method.startswith(_FOR_ANY_TOKEN):
        return None
    return Scope.ADMIN if method.startswith(_ADMIN) else Scope.PAINT


def _check_scope(token: Token, method: str) -> None:
    scope = scope_of(method)
    if scope is not None and scope not in token.scopes:
        raise PermissionDeniedError(
            f"the token of {token.name} lacks the scope {scope.value!r}, which this call demands"
        )
