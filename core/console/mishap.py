"""Errors as pages: what was wrong in the user's words, what to do about it, and the way back."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from core import web
from core.console.page import Pages
from core.console.viewer import Viewer
from core.errors import Malformed, TrustError

_PAGES = Pages("core.console")

#: What reasons mean, in Chinese; in English the error says it itself. Each package adds its own.
WORDS = {
    "bad-form": "表单内容无法读取",
    "conflict": "情况已经变化, 操作未执行",
    "expired": "证书已过期",
    "forbidden": "本人无权执行此操作",
    "foreign-form": "该请求不是由本站页面以本人证书提交的, 已拒绝并记录",
    "malformed": "请求内容无法读取",
    "no-certificate": "本次连接没有出示证书",
    "no-permit": "没有策略允许本人执行此操作",
    "not-found": "没有找到",
    "revoked": "所出示的证书已被撤销",
    "separation-of-duties": "三员分离: 同一人不得兼任互斥岗位",
    "unauthenticated": "无法确认身份",
    "unavailable": "所需的部件没有应答, 操作未执行或结果未知, 请稍后再看",
}

_KINDS = {
    HTTPStatus.BAD_REQUEST: ("请求有误", "This could not be read"),
    HTTPStatus.UNAUTHORIZED: ("身份未确认", "Nobody knows who is asking"),
    HTTPStatus.FORBIDDEN: ("不允许", "Not permitted"),
    HTTPStatus.NOT_FOUND: ("没有找到", "There is no such thing"),
    HTTPStatus.CONFLICT: ("情况已变化", "It was so once, but no longer is"),
    HTTPStatus.UNPROCESSABLE_ENTITY: ("违反规则", "Against a rule"),
    HTTPStatus.SERVICE_UNAVAILABLE: ("暂时无法完成", "A part does not answer"),
}

_UNKNOWN = ("出错了", "Something went wrong")


def install_error_handlers(app: FastAPI, words: Mapping[str, str]) -> None:
    """Make ``app`` answer every error with a page; an unknown one without its text. ``words`` are as ``WORDS``."""
    known = {**WORDS, **words}

    @app.exception_handler(TrustError)
    def _known(request: Request, error: TrustError) -> HTMLResponse:
        if error.rule:
            error = web.recorded(request, error)
        return _page(request, web.status_of(error), error, known)

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, _error: RequestValidationError) -> HTMLResponse:
        detail = "the address of the page cannot be read"
        return _page(request, HTTPStatus.BAD_REQUEST, Malformed(detail), known)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> HTMLResponse:
        word = "not-found" if error.status_code == HTTPStatus.NOT_FOUND else "error"
        found = TrustError(str(error.detail).lower(), reason=word)
        return _page(request, HTTPStatus(error.status_code), found, known)

    @app.exception_handler(Exception)
    def _unknown(request: Request, _error: Exception) -> HTMLResponse:
        # The text stays in the server's log: it may name paths, statements or secrets.
        found = TrustError("something went wrong on our side", reason="internal")
        return _page(request, HTTPStatus.INTERNAL_SERVER_ERROR, found, known)


def _page(request: Request, status: HTTPStatus, error: TrustError, words: Mapping[str, str]) -> HTMLResponse:
    viewer = getattr(request.state, "viewer", None)
    values = {
        "status": int(status),
        "title": _KINDS.get(status, _UNKNOWN),
        "error": error,
        "chinese": words.get(error.word, ""),
        # A form is sent to below the page that it stands on.
        "back": request.url.path.rpartition("/")[0] if request.method == "POST" else "",
    }
    return _PAGES.answer(request, viewer if isinstance(viewer, Viewer) else None, "mishap.html", values, status)
