"""Province files for the tests (演练样本): a small one that is right, to be spoiled line by line."""

SOUND = """\
province: 样本省
organisations:
  - {id: prov, name: 省政府, tier: province}
  - {id: fin, name: 财政厅, tier: department, parent: prov}
posts:
  - {id: fin-head, title: 主管, organisation: fin, holder: li-wen, basis: 任〔2025〕1号}
  - {id: fin-ops, title: 运行, organisation: fin, holder: wang-fang}
domains:
  - id: outer-fin
    name: 财政域
    network: outer
    level: 3
    ceiling: 内部
    name_space: fin.example
    organisation: fin
    in_charge: fin-head
    operating: fin-ops
    addresses: [10.20.0.0/16, "fd00:20::/64"]
  - id: outer-pub
    name: 公共域
    network: outer
    level: 2
    ceiling: public
    name_space: pub.example
    organisation: prov
    in_charge: fin-head
    operating: fin-ops
people:
  - id: li-wen
    name: 李文
    organisation: fin
    domain: outer-fin
    clearance: 机密
    member_of: [outer-fin]
    roles: ["outer-fin:reader"]
  - {id: wang-fang, name: 王芳, organisation: fin, domain: outer-fin}
  - {id: sun-jing, name: 孙静, organisation: prov, domain: outer-pub}
systems:
  - {id: budget, name: 预算, domain: outer-fin, organisation: fin, in_charge: fin-head, operating: fin-ops}
devices:
  - {id: gate, kind: gateway, name: 网关, system: budget}
"""


def changed(old: str, new: str) -> str:
    """Return the sound file with one place changed."""
    assert SOUND.count(old) == 1, f"`{old}` stands {SOUND.count(old)} times"
    return SOUND.replace(old, new)


def line_of(text: str, piece: str) -> int:
    """Return the line (from 1) in which ``piece`` stands."""
    return text[: text.index(piece)].count("\n") + 1
