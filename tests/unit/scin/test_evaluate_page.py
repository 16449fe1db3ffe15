"""The page of an evaluation: valid, self-contained, safe, and with the same figures as its JSON."""

from __future__ import annotations

import base64
import json
import re
import shutil
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from scin.evaluate.run import evaluate_index
from scin.index.manifest import read_manifest, write_manifest
from storage.base import sha256_file
from tests.unit.scin.evaluation_data import classes_of, embedded, index_of, silent, with_embeddings
from tests.unit.scin.index_folder import stored

HOSTILE = ("<script>alert(1)</script>", 'a " onload="x', "pipe | and $\\frac{1$", "&amp; <b>bold\nline")
_VOID = {"meta", "img", "br", "hr", "link", "input"}


@dataclass
class Page(HTMLParser):
    """An HTML document, read strictly: an element that is closed in the wrong order is an error."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    #: section title → its rows of cell texts
    rows: dict[str, list[list[str]]] = field(default_factory=dict)
    text: list[str] = field(default_factory=list)
    _title: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "h2":
            self._title = ""
        if tag == "tr":
            self.rows.setdefault(self._title, []).append([])
        if tag in ("th", "td"):
            self.rows[self._title][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self.open[-1:] == ["h2"]:
            self._title += data
        if {"th", "td"} & set(self.open):
            self.rows[self._title][-1][-1] += data

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def read(path: Path) -> Page:
    page = Page()
    document = path.read_text(encoding="utf-8")
    assert document.startswith("<!DOCTYPE html>")
    page.feed(document)
    page.close()
    assert page.open == []
    return page


def evaluate(index: Path, out: Path) -> Path:
    evaluate_index(index, out, seed=1, resamples=20, write=False, progress=silent)
    return out


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    index_of(folder / "index", classes_of(160, 4, 1), 0.5, 2)
    return evaluate(folder / "index", folder / "out")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    classes = classes_of(160, len(HOSTILE), 3)
    vectors = embedded(classes, 0.6, 4)
    cases = [stored(f"{row:04d}", (row,), {HOSTILE[of]: 1.0}) for row, of in enumerate(classes)]
    with_embeddings(folder / "index", vectors, cases, name="<i>index</i>", licence='"><script>')
    return evaluate(folder / "index", folder / "out")


def test_the_page_is_well_formed_and_every_link_leads_somewhere(report: Path) -> None:
    page = read(report / "leaderboard.html")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for attributes in page.named("a")]
    assert len(links) == len(page.named("section")) >= 9
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert len(page.named("h1")) == 1


def test_the_page_can_be_read_without_seeing_it(report: Path) -> None:
    page = read(report / "leaderboard.html")
    assert page.named("html") == [{"lang": "en"}]
    assert all(heading["scope"] in ("row", "col") for heading in page.named("th"))
    assert all(cell for rows in page.rows.values() for cell in rows[0])
    assert len(page.named("img")) == 3
    assert all(len(picture["alt"]) > 40 for picture in page.named("img"))


def test_the_page_needs_nothing_from_elsewhere(report: Path) -> None:
    page = read(report / "leaderboard.html")
    assert (report / "leaderboard.html").stat().st_size < 1_000_000
    assert not page.named("script")
    assert not page.named("link")
    for tag, attributes in page.elements:
        for name in ("src", "href", "action", "data", "srcset", "poster"):
            assert re.match("#|data:image/svg", attributes.get(name, "#")), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"url\(|@import", (report / "leaderboard.html").read_text())
    for picture in page.named("img"):
        drawn = base64.b64decode(picture["src"].partition(",")[2]).decode()
        for element in ElementTree.fromstring(drawn).iter():
            for name, value in element.attrib.items():
                assert not name.endswith("href") or value.startswith("#")
        assert not re.search(r"url\((?!#)|@import", drawn)


def test_the_figures_on_the_page_are_those_of_the_json(report: Path) -> None:
    rows = {row[0]: row[1:] for row in read(report / "leaderboard.html").rows["Headline figures"]}
    facts = json.loads((report / "leaderboard.json").read_text())
    for metric in ("top-1", "top-3", "macro recall", "ndcg-5"):
        figure = facts["overall"][facts["served"]][metric]
        assert rows[metric][0] == f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"
    sets = facts["calibration"]["sets"]["0.90"]["all"]
    assert rows["coverage of sets for 90%"][0].startswith(f"{sets['coverage']['value']:.3f}")
    assert rows["calibration error"][0] == f"{facts['calibration']['after']['expected_calibration_error']:.3f}"


def test_the_worst_condition_comes_first_with_what_it_is_taken_for(report: Path) -> None:
    facts = json.loads((report / "leaderboard.json").read_text())
    by_recall = sorted(facts["conditions"].items(), key=lambda item: item[1]["top-1"]["value"])
    name, worst = by_recall[0]
    (head, first, *_) = read(report / "leaderboard.html").rows["Worst and best conditions"]
    assert head == ["condition", "n", "recall", "top-3", "taken for"]
    assert first[:2] == [name, str(worst["n"])]
    assert first[2].startswith(f"{worst['top-1']['value']:.3f}")
    answer, cases = next(iter(worst["mistakes"].items()))
    assert first[4].startswith(f"{answer} ({cases})")
    assert sum(worst["mistakes"].values()) == round((1 - worst["top-1"]["value"]) * worst["n"])
    assert f"| {name} | {worst['n']} |" in (report / "leaderboard.md").read_text()


def test_text_of_the_dataset_stays_text(hostile: Path) -> None:
    page = read(hostile / "leaderboard.html")
    assert not page.named("script")
    assert not page.named("i")
    assert not page.named("b")
    named = {row[0] for row in page.rows["Worst and best conditions"]}
    assert set(HOSTILE) <= named
    lines = (hostile / "leaderboard.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| pipe \\| and $\\frac{1$ |")]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [6, 5, 5, 5]  # a recall, and three confusions
    assert not [line for line in lines if "<script" in line]


def test_the_same_evaluation_gives_the_same_page(report: Path, tmp_path: Path) -> None:
    again = evaluate(report.parent / "index", tmp_path / "again")
    for name in ("leaderboard.html", "leaderboard.md", "held_out.parquet"):
        assert (again / name).read_bytes() == (report / name).read_bytes()


CARD = """# tuned 1

## Held-out cases before and after

64 cases of 60 patients
or sources.

| encoder | top-1 accuracy |
|---|---|
| before \\| frozen | 0.500 [0.400, 0.600] |
| after | 0.600 [0.500, 0.700] |

## What it was never shown

Other cameras.
"""


def test_the_card_of_its_own_encoder_says_what_training_changed(report: Path, tmp_path: Path) -> None:
    shutil.copytree(report.parent / "index", tmp_path / "index")
    (tmp_path / "index" / "encoder").mkdir()
    (tmp_path / "index" / "encoder" / "card.md").write_text(CARD)
    assert "Before and after training" not in (report / "leaderboard.md").read_text()
    manifest = read_manifest(tmp_path / "index")
    digest = sha256_file(tmp_path / "index" / "encoder" / "card.md")
    write_manifest(tmp_path / "index", replace(manifest, files={**manifest.files, "encoder/card.md": digest}))
    page = read(evaluate(tmp_path / "index", tmp_path / "out") / "leaderboard.html")
    assert page.rows["Before and after training"] == [
        ["encoder", "top-1 accuracy"],
        ["before | frozen", "0.500 [0.400, 0.600]"],
        ["after", "0.600 [0.500, 0.700]"],
    ]
    assert "64 cases of 60 patients or sources." in "".join(page.text)
    assert "Other cameras" not in "".join(page.text)


def test_without_any_tone_or_enough_cases_the_page_says_so(tmp_path: Path) -> None:
    classes = classes_of(80, 4, 5)
    untold = {"monk_india": None, "fitzpatrick_self": None, "fitzpatrick_labels": ()}
    cases = [replace(stored(f"{row:04d}", (row,), {f"c{of}": 1.0}), **untold) for row, of in enumerate(classes)]
    with_embeddings(tmp_path / "index", np.asarray(embedded(classes, 0.4, 6)), cases)
    text = "".join(read(evaluate(tmp_path / "index", tmp_path / "out") / "leaderboard.html").text)
    assert "No case states a skin tone" in text
    assert "0 of 4 conditions lead in at least 30 judged cases" in text
    assert not (tmp_path / "out" / "accuracy-by-tone.png").exists()
