"""Words of certificates in both languages: states, reasons, refusals."""

from core.registry.credential import CredentialState
from pki.deskstate import State

#: What a request's states are called, and how they look: good, wait or bad.
REQUESTS = {
    State.SUBMITTED: ("待审核", "waits for an officer", "wait"),
    State.CHECKED: ("待第二人审核", "waits for a second officer", "wait"),
    State.RETURNED: ("已退回修改", "returned to be corrected", "wait"),
    State.APPROVED: ("已同意, 待签发", "approved, waits for its signature", "wait"),
    State.REJECTED: ("已驳回", "rejected", "bad"),
    State.ISSUED: ("已签发", "issued", "good"),
}

CERTIFICATES = {
    CredentialState.GOOD: ("有效", "good", "good"),
    CredentialState.HELD: ("挂起", "on hold", "wait"),
    CredentialState.REVOKED: ("已撤销", "revoked", "bad"),
}

#: Reasons to revoke (RFC 5280, 5.3.1), by their wire word.
REVOCATIONS = {
    "key-compromise": ("私钥泄露或可能泄露", "the key is, or may be, in somebody else's hands"),
    "affiliation-changed": ("持有人离开单位或换岗", "the holder belongs somewhere else now"),
    "superseded": ("已由新证书替代", "another certificate took its place"),
    "cessation-of-operation": ("系统或设备停用", "what it was for has ended"),
    "privilege-withdrawn": ("权限已收回", "what it permits was withdrawn"),
    "unspecified": ("不说明原因", "no reason is told"),
}

#: What somebody can hold beside certificates, in Chinese, by the word of ``core/registry/holding.py``.
HOLDINGS = {
    "duty": "待办",
    "enrolment": "注册账户",
    "grant": "授权",
    "key": "密钥",
    "membership": "安全域成员",
    "post": "岗位",
    "proposal": "双人事项",
    "role": "角色",
}

#: Refusals, by the stable word of the error: what they mean in Chinese.
REFUSALS = {
    "already-revoked": "该证书此前已经撤销, 无需再做",
    "bad-host-name": "主机名写法不合规",
    "forbidden-extension": "申请中含有不允许的扩展项",
    "foreign-name": "申请中的名称与登记册不符, 或超出本安全域的名称范围",
    "has-left": "持有人已离岗",
    "holder-left": "持有人已离岗",
    "needs-second-officer": "该等级的证书须由两名审核员同意",
    "not-in-register": "登记册中没有该持有人",
    "not-waiting": "该申请已不在可以如此处理的状态, 请重新查看",
    "not-yours": "本人不能处理该申请: 自己提交的、给自己的或自己已同意过的, 须由他人处理",
    "on-hold": "所出示的证书已被挂起",
    "reused-key": "该公钥属于他人的证书",
    "revoked-key": "该公钥属于已撤销的证书",
    "unknown-revocation-reason": "没有这样的撤销原因",
    "weak-key": "密钥强度不足或种类不允许",
    "wildcard-name": "不允许通配名称",
    "wrong-profile": "证书模板与持有人或请求内容不符",
}
