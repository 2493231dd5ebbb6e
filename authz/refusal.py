"""What a person reads when the gateway lets nothing through: every reason in Chinese and in English. Pure."""

import html
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """One reason for people."""

    chinese: str
    english: str


#: By reason. The words themselves are answered in ``X-Guosuo-Reason`` and never renamed.
REASONS = {
    "no-certificate": Words(
        "未出示数字证书。请插入证书介质后重试。", "No certificate was shown. Show yours and try again."
    ),
    "bad-certificate": Words("所出示的证书无法识别。", "The certificate shown cannot be read or accepted."),
    "expired": Words("证书已过有效期。", "The certificate has expired."),
    "not-yet-valid": Words("证书尚未生效。", "The certificate is not valid yet."),
    "foreign-issuer": Words(
        "证书不是由本省签发机构签发。", "The certificate was issued by an authority of nobody here."
    ),
    "look-alike-issuer": Words(
        "证书冒用本省签发机构的名称。", "The certificate bears our authority's name, and not its signature."
    ),
    "invalid-path": Words("证书的签发路径无效。", "The certificate does not lead to our authority as it must."),
    "malformed": Words("证书的编码有误。", "The certificate is not encoded as it must be."),
    "too-much": Words("证书内容超出可处理的范围。", "The certificate says more than is looked at."),
    "algorithm-not-allowed": Words("证书使用了不允许的算法。", "The certificate is made with a forbidden algorithm."),
    "bad-signature": Words("证书的签名无效。", "A signature on the certificate's path does not verify."),
    "status-undetermined": Words("无法确认证书的状态。", "The status of the certificate cannot be found out."),
    "name-chaining": Words("证书与签发机构的名称不衔接。", "The certificate's issuer is not the authority above it."),
    "name-not-permitted": Words("签发机构无权签发该名称。", "Its authority may not issue for the name in it."),
    "name-excluded": Words("签发机构不得签发该名称。", "Its authority is barred from the name in it."),
    "no-valid-policy": Words("证书的策略不被接受。", "The certificate is under no policy that is accepted."),
    "any-policy-mapped": Words("签发机构的策略映射无效。", "Its authority maps policies as nobody may."),
    "not-an-authority": Words("签发者不是证书签发机构。", "It was issued by something that is no authority."),
    "path-too-long": Words("证书的签发层级过多。", "There are more authorities above it than are allowed."),
    "key-usage": Words("签发机构的密钥不可用于签发。", "Its authority's key is not for issuing."),
    "critical-extension": Words("证书含有无法识别的关键扩展。", "The certificate demands something unknown here."),
    "wrong-purpose": Words("该证书不可用于身份认证。", "The certificate is not for authenticating a client."),
    "on-hold": Words("证书已被挂起。", "The certificate is on hold."),
    "issued-at-lower-level": Words(
        "证书签发时的等级低于现在。", "The certificate was issued at a lower level than its holder's domain has now."
    ),
    "code-refused": Words("一次性编码无效。", "The one-time code opens nothing."),
    "revoked": Words("证书已被撤销。", "The certificate was revoked."),
    "unknown-certificate": Words("登记中没有该证书。", "The certificate is not in the register."),
    "suspended": Words("持证人已被停用。", "The holder of the certificate is suspended."),
    "holder-left": Words("持证人已离岗。", "The holder of the certificate has left."),
    "unmapped-path": Words("该地址未登记，不予开放。", "No reviewed description maps this address."),
    "malformed-path": Words("请求地址的写法不规范。", "The address is not written in its one canonical form."),
    "ambiguous-path": Words("请求地址可有多种读法。", "The address could be read in more than one way."),
    "unknown-host": Words("没有登记该主机名。", "No application is described under this host."),
    "repeated-request": Words("该请求已被处理过。", "This request was answered before."),
    "no-permit": Words("没有策略允许该操作。", "No policy permits this."),
    "forbidden": Words("策略禁止该操作。", "A policy forbids this."),
    "error": Words("策略无法判定，按拒绝处理。", "The policies could not be evaluated, so the answer is no."),
    "invalid": Words(
        "该请求无法判定，按拒绝处理。", "The question makes no sense to the policies, so the answer is no."
    ),
    "decision-unavailable": Words(
        "判定服务暂不可用，一律不予放行。", "The decision service does not answer, so nothing is let through."
    ),
    "gateway-not-accepted": Words(
        "判定服务不接受本网关，一律不予放行。", "The decision service does not accept this gateway."
    ),
    "application-unavailable": Words("应用暂不可用。", "The application behind the gateway does not answer."),
    "malformed-request": Words("请求格式有误。", "The request cannot be read."),
    "method-not-allowed": Words("不接受该请求方法。", "This method is not accepted here."),
    "too-large": Words("请求过大。", "The request is too large."),
    "too-many-requests": Words("请求过于频繁，请稍后再试。", "Too many requests, try again later."),
    "wrong-host": Words("连接与主机名不符。", "The connection was made for another host."),
    "not-found": Words("没有该地址。", "There is no such address."),
}

#: For a reason that this gateway does not know yet.
OTHERWISE = Words("请求未予放行。", "The request was refused.")

#: Whom to ask when the answer named nobody.
CONTACT = "本部门注册审核员 · the registration officer of your department"

_STYLE = (
    "body{font:16px/1.6 sans-serif;max-width:42em;margin:3em auto;padding:0 1em;color:#222}"
    "h1{font-size:1.4em;border-bottom:3px solid #a11}dt{color:#555;margin-top:.8em}dd{margin:0}"
    "code{word-break:break-all}"
)


def page_text(text: str) -> str:
    """Return ``text`` for a page: escaped, and in ASCII so that it fits into a header."""
    return html.escape(text).encode("ascii", "xmlcharrefreplace").decode("ascii")


def page(*, chinese: str, english: str, reason: str, explanation: str, contact: str, request: str) -> str:
    """Return the page. Every argument is inserted as it is: HTML already, or the name of a variable of nginx."""
    return (
        "<!doctype html><html lang='zh-CN'><meta charset='utf-8'><title>未予放行 · Refused</title>"
        f"<style>{_STYLE}</style><h1>未予放行 · Access refused</h1>"
        f"<p>{chinese}</p><p lang='en'>{english}</p><dl>"
        f"<dt>原因 · Reason</dt><dd><code>{reason}</code></dd>"
        f"<dt>说明 · Explanation</dt><dd>{explanation}</dd>"
        f"<dt>联系 · Whom to ask</dt><dd>{contact}</dd>"
        f"<dt>请求编号 · Request</dt><dd><code>{request}</code></dd></dl></html>"
    )
