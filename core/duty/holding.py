"""What somebody holds in duties (``core.registry.holding.Holder``): those of their posts, which follow the post."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session

from core.duty import duty
from core.duty.models import Duty
from core.identity import PersonId
from core.registry.holding import Holding


class Duties:
    """Implements ``core.registry.holding.Holder``."""

    def holdings(self, session: Session, kind: str, identifier: str, at: datetime) -> Sequence[Holding]:
        """Return the duties that wait for a person's posts, or that are about a domain."""
        waiting = duty.waiting(session)
        match kind:
            case "person":
                posts = duty.posts_of(session, identifier, at)
                return [_holding(one, posts) for one in waiting if duty.answers(one, posts)]
            case "domain":
                return [_holding(one, frozenset()) for one in waiting if one.domain == identifier]
            case _:
                return []

    def relinquish(
        self,
        session: Session,
        person: PersonId,
        *,
        successor: PersonId | None,  # noqa: ARG002  # whoever follows in the post follows in its duties
        actor: str,  # noqa: ARG002
        at: datetime,
    ) -> Sequence[Holding]:
        """Leave the duties with their posts."""
        return self.holdings(session, "person", person, at)


def _holding(one: Duty, posts: frozenset[str]) -> Holding:
    post = one.post if one.post in posts or not posts else one.escalated_post
    return Holding("duty", one.id, one.title, one.domain, ends=False, follows=post)
