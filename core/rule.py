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
TWO = Rule(
    "two-people",
    "敏感事项须由一人提出、另一人审批",
    "what is sensitive takes two people: one proposes it, another decides",
    "GB/T 22239-2019 8.1.7.3 authorisation and approval",
)
OUTGOING = Rule(
    "concerned-person",
    "被任免的人不得作为审批人, 离岗的人也不得提出本人的离岗",
    "whom an act takes out of office does not approve it, and nobody proposes their own leaving",
    "GB/T 22239-2019 8.1.7.1 separation of posts",
)
SIGNED = Rule(
    "own-signature",
    "敏感事项须由本人密钥签名",
    "an act that somebody answers for is signed with their own key",
    "GB/T 22239-2019 8.1.4.8; GB/T 39786-2021 8.4 non-repudiation",
)
RETENTION = Rule(
    "log-retention",
    "网络安全法第二十三条第三项: 网络日志留存不少于六个月",
    "Cybersecurity Law Art. 23(3): logs are kept for at least six months",
    "Cybersecurity Law Art. 23(3); GB/T 22239-2019 security audit",
)
CERTIFICATION = Rule(
    "certificate-retention",
    "电子签名法第二十四条: 与认证相关的信息保存期限至少为电子签名认证证书失效后五年",
    "Electronic Signature Law Art. 24: what is about a certificate is kept for five years after it lapses",
    "Electronic Signature Law Art. 24",
)
HELD = Rule(
    "legal-hold",
    "依法保全的记录在保全期内不得清除或擦除",
    "what a legal hold names is neither purged nor erased while it lasts",
    "this installation's own rule",
)
SAME_ORIGIN = Rule(
    "same-origin",
    "表单只从本站页面、由看到该页面的浏览器以同一证书提交",
    "a form is sent from a page of this console, by the browser and under the certificate that it was shown to",
    "RFC 6454; W3C Fetch Metadata; GB/T 22239-2019 8.1.4.1 identification",
)

_ALL = (
    DISJOINT,
    VACANT,
    LEFT,
    OWN_ACT,
    PROPOSER,
    APPROVER,
    TWO,
    OUTGOING,
    SIGNED,
    RETENTION,
    CERTIFICATION,
    HELD,
    SAME_ORIGIN,
)

#: Every rule, by its id.
RULES = {rule.id: rule for rule in _ALL}
