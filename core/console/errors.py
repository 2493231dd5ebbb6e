"""What a form can be refused for before anybody asks what it is about."""

from core.errors import Forbidden, Malformed


class ForeignForm(Forbidden):
    """A form that is not from a page of ours, shown to this very certificate."""

    reason = "foreign-form"


class BadForm(Malformed):
    """A form that cannot be read."""

    reason = "bad-form"
