"""What is around BentoML's application."""

from starlette.applications import Starlette

from service.app import Numeral
from service.web.boundary import Boundary


def test_ours_is_the_outermost_and_no_layer_leaves_a_timer_behind_each_request() -> None:
    outermost = Numeral.to_asgi()  # type: ignore[attr-defined]  # a bentoml Service by now
    assert isinstance(outermost, Boundary)
    assert isinstance(outermost.app, Starlette)
    assert [getattr(each.cls, "__name__", "") for each in outermost.app.user_middleware] == ["ContextMiddleware"]
