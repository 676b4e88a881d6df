"""What an answer claims of the register's rows, typed so that it can be checked: ``tested:PAY-C03``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Annotated, Self, get_args

from pydantic import AfterValidator

from riskcalc.register.columns import Frequency, Names

MONTH = "YYYY-MM"  # stands for any month
# By kind, the table of the row it speaks of, and the values it takes, if any.
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "documented": ("controls", ()),
    "designed": ("controls", ()),
    "tested": ("controls", ()),
    "operated": ("controls", ()),
    "no_deviations": ("controls", ()),
    "no_deficiency": ("controls", ()),
    "some_deviations": ("controls", ()),
    "open_deficiency": ("controls", ()),
    "frequency": ("controls", get_args(Frequency)),
    "kind": ("controls", ("preventive", "detective", "corrective")),
    "nature": ("controls", ("manual", "automated", "it_dependent")),
    "performed_by": ("controls", ("own", "user_entity", "subservice")),
    "key": ("controls", ()),
    "issued": ("business_units", ()),
    "bridged": ("business_units", ()),
    "opinion": ("business_units", ("unmodified", "qualified", "adverse", "disclaimer")),
    "report": ("business_units", ("type1", "type2")),
    "method": ("subservice_organisations", ("carve_out", "inclusive")),
    "vendor_opinion": ("subservice_organisations", ("unmodified", "qualified", "adverse", "disclaimer")),
    "vendor_bridged": ("subservice_organisations", ()),
    "vendor_exception": ("subservice_organisations", ("none", "minor", "matters")),
    "vendor_report": ("subservice_organisations", ("type1", "type2")),
    "reviewed": ("subservice_organisations", ()),
    "held": ("documents", ()),
    "trained": ("training", ()),
    "accepted": ("risks", ()),
    "done": ("report_items", ()),
    "accepted_until": ("risks", (MONTH,)),
    "covers_to": ("documents", (MONTH,)),
    "issued_on": ("documents", (MONTH,)),
    "report_to": ("business_units", (MONTH,)),
    "bridge_letter_until": ("business_units", (MONTH,)),
    "vendor_report_to": ("subservice_organisations", (MONTH,)),
    "bridge_to": ("subservice_organisations", (MONTH,)),
}
# Each of those without value can be denied: ``not_issued:payments``.
KINDS |= {
    f"not_{kind}": (table, ())
    for kind, (table, values) in KINDS.items()
    if not (values or kind.endswith(("_deviations", "_deficiency")))
}
MONTHLY = [kind for kind, (_, values) in KINDS.items() if values == (MONTH,)]


@dataclass(frozen=True)
class Claim:
    """A kind, the key of the row it speaks of, and the value claimed, blank where the kind takes none."""

    kind: str
    key: str
    value: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """A claim as it is written; raises ValueError, saying what is allowed.

        >>> Claim.parse("frequency:PAY-C07=quarterly")
        Claim(kind='frequency', key='PAY-C07', value='quarterly')
        """
        kind, _, rest = text.partition(":")
        if kind not in KINDS or not rest:
            raise ValueError(f"{text[:60]!r} is no claim; allowed: KIND:ID, with KIND one of {', '.join(KINDS)}")
        values = KINDS[kind][1]
        key, _, value = rest.rpartition("=") if values else (rest, "", "")
        known = re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", value) if kind in MONTHLY else value in values
        if values and not (key and known):
            raise ValueError(f"{text[:60]!r} needs a value; allowed: {kind}:ID= and one of {', '.join(values)}")
        return cls(kind, key, value)

    def __str__(self) -> str:
        return f"{self.kind}:{self.key}{'=' * bool(self.value)}{self.value}"

    @property
    def table(self) -> str:
        """The table of the row it speaks of."""
        return KINDS[self.kind][0]


def renamed(claim: str, table: str, old: str, new: str) -> str:
    """A claim as it reads once a row of a table has another key; any other claim, or what is none, stays.

    >>> renamed("tested:PAY-C03", "controls", "PAY-C03", "PAY-C30")
    'tested:PAY-C30'
    """
    try:
        found = Claim.parse(claim)
    except ValueError:
        return claim
    return str(replace(found, key=new)) if (found.table, found.key) == (table, old) else claim


Claims = Annotated[Names, AfterValidator(lambda claims: tuple(str(Claim.parse(claim)) for claim in claims))]
