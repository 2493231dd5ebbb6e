"""The rules that a refusal quotes: each with its stable id, its text in both languages and its source. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of conduct; printed as a person reads it: id, Chinese, English."""

    id: str
    chinese: str
    english: str
    source: str

    def __str__(self) -> str:
        """Print as ``id 中文 · English``."""
        return f"{self.id} {self.chinese} · {self.english}"


DISJOINT = Rule(
    "three-administrators",
    "系统管理员、安全管理员、审计管理员由三人分别担任, 审计管理员不兼任其他岗位",
    "the three administrators are three people, and an auditor holds no other office",
    "GB/T 22239-2019 8.1.7.1 b); BMB 20 separation of the three administrators, made stricter",
)
VACANT = Rule(
    "bootstrap-fills-vacancies",
    "引导证书只能补任空缺的三员, 更换须经双人审批",
    "the bootstrap certificate fills vacant offices; whoever replaces somebody in office needs a second person",
    "GB/T 22239-2019 8.1.7.3 authorisation and approval",
)
LEFT = Rule(
    "left-office",
    "离岗、停用人员不得操作",
    "whoever left or is suspended does nothing any more",
    "GB/T 22239-2019 8.1.8.2 a): the access of those who leave is ended in time",
)
OWN_ACT = Rule(
    "own-act",
    "不得审批本人提出的事项",
    "nobody approves their own act",
    "GB/T 22239-2019 8.1.7.3 authorisation and approval",
)
PROPOSER = Rule(
    "named-proposer",
    "只有规定的岗位可以提出敏感事项",
    "only the offices named for an act may propose it",
    "GB/T 22239-2019 8.1.7.3 authorisation and approval",
)
APPROVER = Rule(
    "named-approver",
    "只有规定的岗位可以审批, 权限以审批时为准",
    "only the offices named for an act may decide on it, and both people's rights are looked at as it is done",
    "GB/T 22239-2019 8.1.7.3 authorisation and approval",
)
OUTGOING = Rule(
    "concerned-person",
    "被任免的人不得作为审批人",
    "whom an act takes out of office does not approve it",
    "GB/T 22239-2019 8.1.7.1 separation of posts",
)
SIGNED = Rule(
    "own-signature",
    "敏感事项须由本人密钥签名",
    "an act that somebody answers for is signed with their own key",
    "GB/T 22239-2019 8.1.4.8; GB/T 39786-2021 8.4 non-repudiation",
)

#: Every rule, by its id.
RULES = {rule.id: rule for rule in (DISJOINT, VACANT, LEFT, OWN_ACT, PROPOSER, APPROVER, OUTGOING, SIGNED)}
