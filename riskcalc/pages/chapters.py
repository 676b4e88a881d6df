"""The chapters of the pages: what each shows, in which order, and what of it is for fewer than its readers.

Which chapters somebody gets is said by the tags of the notebook's cells; what of the register they get, by
``register/audiences.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from riskcalc.assessment.opening import Assessment, Portfolio
from riskcalc.errors import UsageError
from riskcalc.pages import control_tests, loss, matrix, portfolio, readiness, risks, summary, unit, wording
from riskcalc.pages.charts import Chart
from riskcalc.pages.display import Display

_UNIT: dict[str, tuple[Callable[..., Any], ...]] = {
    "in brief": (unit.heading, summary.unit, unit.figures),
    "decisions": (unit.to_decide,),
    "matrix": (matrix.chart, matrix.views, matrix.movement, matrix.rescored),
    "loss": (loss.figures, loss.exceedance, loss.contributions, loss.tornado, loss.quantiles, loss.sensitivity),
    "report": (
        readiness.figures,
        readiness.objectives,
        readiness.report_parts,
        readiness.gap_list,
        readiness.deficiencies,
        readiness.together,
    ),
    "risks": (risks.of_unit,),
    "controls": (unit.objectives, unit.controls),
    "tests": (control_tests.conclusions, readiness.dated_later),
    "leans on": (
        readiness.assertions,
        readiness.components,
        readiness.user_entities,
        readiness.subservice,
        readiness.training,
        readiness.frameworks,
    ),
    "open points": (unit.findings,),
    "method": (wording.scales, wording.provenance),
    "result": (unit.result,),
}
_ORGANISATION: dict[str, tuple[Callable[..., Any], ...]] = {
    "in brief": (portfolio.heading, summary.organisation),
    "decisions": (summary.to_decide,),
    "units": (portfolio.units,),
    "loss": (loss.organisation, loss.by_unit),
    "matrix": (matrix.chart, matrix.views),
    "risks": (risks.of_organisation,),
    "method": (wording.provenance,),
    "result": (portfolio.result,),
}
_FOR: Mapping[Callable[..., Any], Collection[str]] = {  # of a chapter that more audiences get
    loss.quantiles: ("unit",),
    loss.sensitivity: ("unit",),
    readiness.gap_list: ("auditor", "unit"),
    readiness.training: ("unit",),
    readiness.frameworks: ("unit",),
}


class Chapter(tuple[Any, ...]):
    """The views of a chapter, which a notebook shows one after the other."""

    def _ipython_display_(self) -> None:
        from IPython.display import publish_display_data

        for place, view in enumerate(self):  # each knows all that it is shown as: no formatter need be asked
            told = {} if isinstance(view, Chart) else {"riskcalc": "chapter"}
            below = any(isinstance(each, Display) for each in self[:place])
            publish_display_data(view._repr_mimebundle_(below=below), told)  # type: ignore[no-untyped-call]


def chapter(opened: Assessment | Portfolio, name: str) -> Chapter:
    """The views of a chapter, as far as they are for those whom the unit, or the organisation, was opened for.

    To change a chapter in a notebook, call views by themselves: ``loss.exceedance(assessment)``.

    Raises UsageError, naming those there are, for an unknown chapter.

    >>> from riskcalc import open_unit
    >>> [view.kind for view in chapter(open_unit("payroll"), "decisions")]
    ['table']
    """
    known = _UNIT if isinstance(opened, Assessment) else _ORGANISATION
    if name not in known:
        raise UsageError(f"There is no chapter {name!r}; allowed: {', '.join(known)}.")
    readers = opened.audience.name
    shown = (view(opened) for view in known[name] if not readers or readers in _FOR.get(view, (readers,)))
    return Chapter(view for view in shown if view is not None)
