"""Little programs in arguments: what only edits the stream is told from what runs, writes or reads on."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ralph.policy.scripts import awk, sed

_READS = r"""
{print $1}
NR==1, NR==5 {print FILENAME ":" FNR}
/a\/b/ && $2 ~ /^[A-Za-z_]+$/ {n++} END {print n / NR}
{ if ($1 > max) max = $1 } END { print max/2 }
{ print ($1 > 5) ? "a" : "b" }
{ printf("%d %s\n", $1 > 5, $2) }
{ a[$1] += $2 } END { for (k in a) if (a[k] > 10) print k, a[k]/NR }
$3 >= 1000 || $NF < 0.5 { print; next }
{ gsub(/[[:space:]]+/, " "); sub(/\/$/, ""); print }
function f(x, y) { return x / y } { print f($1, $2) }
BEGIN { FS = "\t"; OFS = "|" } { $1 = $1; print }
{ print "> | system getline @ /x" }
/[|>]/ { print "x" } # > "f"
{ x = y / z; w = "a/b" } END { print x, w }
{ print $1/$2, (a)/2, b[1]/3, 4/5 }
!seen[$0]++
length > 80
{ if (!/x/) exit; else print }
{ printf "%s", (NR > 1 ? "," : "") }
"""
_ACTS = r"""
BEGIN { system("id") }
BEGIN { system ( "id" ) }
{ print > "f" }
{ print>"f" }
{ print $1, $2 >> "f" }
{ print ($1) > "f" }
{ print($1)(2) > $3 }
{ printf "%s", $0 > FILENAME }
{ printf("%s", $0) > FILENAME }
{ print | "sh" }
{ print |& "sh" }
{ "id" | getline x }
BEGIN { while ((getline l < "x") > 0) print l }
{ getline; print }
BEGIN { print ENVIRON["X"] }
BEGIN { print SYMTAB["ENVIRON"]["X"] }
BEGIN { print PROCINFO["pid"] }
BEGIN { ARGV[1] = "/etc/shadow"; ARGC = 2 }
@load "filefuncs"; { print }
@include "x"
{ f = "sys" "tem"; @f("id") }
BEGIN { awk::system("id") }
{ print a[")"] > "f" }
{ print /(/ > "f" }
{ print "a" "(" > "f" }
{ print a ? b : c > "f" }
{ if (x) /"/ {system("id")} /"/ }
{ while (x) /"/; system("id"); y = /"/ }
{ a++ /"/ ; system("id") ; "/" }
{ case /"/ x; y = "/ ; system("id")" }
{ length /"/ ; system("id") ; /"/ }
/[/"]/ { system("id") } /"/
/[]/"]/ { system("id") } /"/
/[a[:b]/"]/ { system("id") } /"/
{ x = /a/ / "/; system("id"); "/ }
{ print \ > "f" }
{ sys\tem("id") }
2 > "f" }
{ print 1,
BEGIN { print ( "a" > "f" }
{ print "unclosed }
{ x = /unclosed }
{ print `id` }
{ print 1 & 2 }
"""


@pytest.mark.parametrize("text", _READS.strip().splitlines())
def test_awk_that_only_reads(text: str) -> None:
    assert awk(text) == []


@pytest.mark.parametrize("text", _ACTS.strip().splitlines())
def test_awk_that_does_more_or_may(text: str) -> None:
    assert awk(text) != []


@pytest.mark.parametrize("text", ['{ print 1,\n2 > "f" }', '{ print 1\n, 2 > "f" }', '{ print 1 \\\n> "f" }'])
def test_awk_lines_that_go_on(text: str) -> None:
    assert awk(text) != []


@pytest.mark.parametrize(
    "text",
    ["s/a/b/", "s/a/b/g;/x/d", r"s/[a-z]\+/[&]/g", "/^#/!p", "1,$p", r"s/\[.*\]//", "s/[[:space:]]*$//", "$!N;P;D",
     r"\,a,p", "/a/,/b/p", "s,/usr,/opt,g", r"s/[]a]/x/", r"s/[^]]/x/"],
)  # fmt: skip
def test_sed_that_only_edits_the_stream(text: str) -> None:
    assert sed(text) == []


@pytest.mark.parametrize(
    "text",
    ["w f", "s/a/b/w f", "s/a/b/e", "e id", "r f", "1!w f", "s/a/b/2w f", "{p;w f\n}", "W f", "R f", "s/a/b/gwf",
     "s/[/]/g;s/w f;/x/", "s/[^/]/g;s/w f;/x/", "s/[]/]/g;s/w f;/x/", "s/[[:alpha:]/]/g;s/w f;/x/", "/[/]/;s/w f;/x/",
     r"\,[,],;s,w f;,x,", "/a/,/[/]/;s/w f;/x/", r"s/[\]/g;s/w f;/x]/", "s/[a/]/g;s/e;/x/", "s/a", "y/a/b/w",
     "v 4", "é"],
)  # fmt: skip
def test_sed_that_does_more_or_may(text: str) -> None:
    assert sed(text) != []


PARTS = (
    "p", ";", "}", "{", "\n", " ", "e id", "w x", "r x", ":l", ":", "b", "t l", "ba", "a foo", "i\\", "#", "s/a/b/",
    "/x/", "1", "$", "!", ",", "y/a/b/", "[/]", "\\", "/", "q", "x", "s|a|b|", "g",
)  # fmt: skip


@pytest.mark.skipif(shutil.which("sed") is None, reason="there is no sed")
@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=7).map("".join).filter(lambda text: not sed(text)))
def test_what_is_let_through_is_let_through_by_sed_itself(text: str) -> None:
    """GNU sed refuses commands that run, read or write files when it is told to, before it runs any."""
    done = subprocess.run(
        ["sed", "--sandbox", "-n", text, "/dev/null"], capture_output=True, text=True, timeout=9, check=False
    )
    assert "disabled in sandbox mode" not in done.stderr
