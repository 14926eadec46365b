"""How figures look, and how they become a part of the page."""

from __future__ import annotations

from parse_dfl.records import NO_ROLES, Roles
from parse_dfl.report.style import PALETTE, inline_svg, look


def test_a_drawing_keeps_its_shapes_and_loses_its_size():
    svg = (
        b'<?xml version="1.0"?><svg width="72pt" height="36pt" viewBox="0 0 72 36">'
        b'<metadata>x</metadata><defs><path id="a"/></defs>'
        b'<use xlink:href="#a" clip-path="url(#c)"/></svg>'
    )
    assert inline_svg(svg, prefix="p", label='a "b"') == (
        '<svg role="img" aria-label="a &quot;b&quot;" style="max-width:96px" viewBox="0 0 72 36">'
        '<defs><path id="p.a"/></defs><use xlink:href="#p.a" clip-path="url(#p.c)"/></svg>'
    )


def test_a_method_looks_the_same_whatever_it_is_drawn_with():
    roles = Roles(order=("a", "b"))
    assert look("b", roles).color == PALETTE[1]
    assert look("mine", roles) == look("mine", NO_ROLES)
    assert look("mine", roles).color not in PALETTE


def test_a_control_is_hollow_and_dashed_in_its_rules_colour():
    roles = Roles(order=("a", "b"))
    control, rule = look("a@b", roles), look("b", roles)
    assert (control.color, control.marker) == (rule.color, rule.marker)
    assert control.line["linestyle"] == "--" != rule.line["linestyle"]
    assert control.line["markerfacecolor"] != rule.line["markerfacecolor"]
